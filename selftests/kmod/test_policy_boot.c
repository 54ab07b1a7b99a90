/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=unsafe */
/*
 * test_policy_boot.c - what GUESTMEM_MAP refuses on a machine that test_policy
 * cannot make of another one. It wants a boot of its own:
 *
 *   kernel parameters   intremap=off swiotlb=force
 *   QEMU                -device pcie-pci-bridge,id=bridge
 *                       -device edu,bus=bridge,addr=1
 *                       -device edu,bus=bridge,addr=2
 *
 * A part that this boot has not is skipped.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "bind.h"
#include "session.h"

#define LENGTH (8 * PAGE)
#define EDU_ID "0x11e8"

static bool booted_with(const char *parameter)
{
	char line[1024];

	return !file_read("/proc/cmdline", line, sizeof(line)) &&
	       strstr(line, parameter);
}

static int entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static bool is_shared_edu(const char *address)
{
	char path[ADDRESS_MAX + 64], id[16];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/device", address);
	if (file_read(path, id, sizeof(id)) || strcmp(id, EDU_ID))
		return false;
	snprintf(path, sizeof(path),
		 "/sys/bus/pci/devices/%s/iommu_group/devices", address);
	return entries(path) > 1;
}

/* Address of an edu device that shares its IOMMU group; false if none does. */
static bool shared_edu(char address[ADDRESS_MAX])
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *entry;
	bool found = false;

	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		snprintf(address, ADDRESS_MAX, "%s", entry->d_name);
		found = is_shared_edu(address);
	}
	closedir(dir);
	return found;
}

FIXTURE(boot) {
	struct session s;
	struct guestmem_map arg;
	char address[ADDRESS_MAX];
};

FIXTURE_SETUP(boot)
{
	session_start(_metadata, &self->s, true);
	ASSERT_EQ(0, device_address(self->address));
	self->arg = map_arg(-1, LENGTH);
	ASSERT_FD(&self->arg.fd, region_alloc(self->s.control, LENGTH));
}

FIXTURE_TEARDOWN(boot)
{
	parameter_set("allow_unsafe_noiommu", "N");
	parameter_set("allow_lazy_iommu", "N");
	parameter_set("allow_unsafe_interrupts", "N");
	session_end(_metadata, &self->s);
}

#define REFUSED(code) \
	EXPECT_REFUSED(code, self->s.device, GUESTMEM_MAP, &self->arg)

TEST_F(boot, forged_interrupts)
{
	char type[32];

	group_type(self->address, type);
	if (!booted_with("intremap=off") || strcmp(type, "DMA"))
		SKIP(return, "boot with intremap=off iommu.strict=1");
	REFUSED(EPERM);
	ASSERT_EQ(0, parameter_set("allow_lazy_iommu", "Y"));
	ASSERT_EQ(0, parameter_set("allow_unsafe_noiommu", "Y"));
	REFUSED(EPERM);
	ASSERT_EQ(0, parameter_set("allow_unsafe_interrupts", "Y"));
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
	EXPECT_EQ(GUESTMEM_MAP_TRANSLATED | GUESTMEM_MAP_STRICT,
		  self->arg.properties &
		  (GUESTMEM_MAP_TRANSLATED | GUESTMEM_MAP_STRICT));
}

TEST_F(boot, bounce_buffer)
{
	if (!booted_with("swiotlb=force"))
		SKIP(return, "boot with swiotlb=force");
	close(self->s.device);
	ASSERT_EQ(0, group_set_type(self->address, "identity"));
	EXPECT_EQ(0, parameter_set("allow_unsafe_noiommu", "Y"));
	EXPECT_EQ(0, parameter_set("allow_unsafe_interrupts", "Y"));
	ASSERT_FD(&self->s.device, device_open());
	REFUSED(EOPNOTSUPP);
	/* Longer than any bounce buffer is. */
	ASSERT_FD(&self->arg.fd, region_alloc(self->s.control, MIB));
	self->arg.length = MIB;
	REFUSED(EOPNOTSUPP);
	close(self->s.device);
	EXPECT_EQ(0, group_set_type(self->address, "DMA"));
}

/* Nothing allows that: the other device could use the maps. */
TEST_F(boot, shared_group)
{
	char address[ADDRESS_MAX], path[ADDRESS_MAX + 64];

	if (!shared_edu(address))
		SKIP(return, "no edu device that shares its group");
	close(self->s.device);
	ASSERT_EQ(0, device_bind(address));
	snprintf(path, sizeof(path), DEVICE_DIR "/%s", address);
	ASSERT_FD(&self->s.device, open(path, O_RDWR | O_CLOEXEC));
	REFUSED(EPERM);
	EXPECT_EQ(0, parameter_set("allow_unsafe_noiommu", "Y"));
	EXPECT_EQ(0, parameter_set("allow_lazy_iommu", "Y"));
	EXPECT_EQ(0, parameter_set("allow_unsafe_interrupts", "Y"));
	REFUSED(EPERM);
	close(self->s.device);
	EXPECT_EQ(0, device_unbind(address));
}

TEST_HARNESS_MAIN
