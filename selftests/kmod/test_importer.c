/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=users */
/*
 * test_importer.c - other drivers of the kernel import regions as the dma-bufs
 * that they are: vgem, a graphics driver without a device, maps one for DMA;
 * vivid, a camera without a device, maps one for the kernel and films into it.
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <linux/videodev2.h>
#include "kselftest_harness.h"
#include "users.h"

#define LENGTH (4 * MIB)
#define WIDTH 640
#define HEIGHT 480
#define FRAME (2 * WIDTH * HEIGHT)

/* Of drm.h, which is in no package that the tests need otherwise. */
struct drm_version {
	int major;
	int minor;
	int patch;
	size_t name_length;
	char *name;
	size_t date_length;
	char *date;
	size_t desc_length;
	char *desc;
};

struct drm_prime_handle {
	uint32_t handle;
	uint32_t flags;
	int32_t fd;
};

struct drm_gem_close {
	uint32_t handle;
	uint32_t pad;
};

#define DRM_IOCTL_VERSION _IOWR('d', 0x00, struct drm_version)
#define DRM_IOCTL_GEM_CLOSE _IOW('d', 0x09, struct drm_gem_close)
#define DRM_IOCTL_PRIME_FD_TO_HANDLE _IOWR('d', 0x2e, struct drm_prime_handle)

FIXTURE(importer) {
	struct users u;
};

FIXTURE_SETUP(importer)
{
	users_start(_metadata, &self->u, LENGTH);
}

FIXTURE_TEARDOWN(importer)
{
	users_end(_metadata, &self->u);
}

/* How many maps the module knows of, or a negative errno. */
static int maps(const struct users *u)
{
	struct guestmem_region_info info;
	int err = region_info(u->s.control, u->fd, &info);

	return err ? err : (int)info.maps;
}

static int vgem_open(void)
{
	char path[32], name[16];

	for (int i = 0; i < 8; i++) {
		struct drm_version version = {
			.name = name, .name_length = sizeof(name) - 1,
		};
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		memset(name, 0, sizeof(name));
		if (!ioctl(fd, DRM_IOCTL_VERSION, &version) &&
		    !strcmp(name, "vgem"))
			return fd;
		close(fd);
	}
	return -ENODEV;
}

static int vgem_import(const struct users *u, struct drm_prime_handle *prime)
{
	int card = vgem_open();

	if (card < 0)
		return card;
	*prime = (struct drm_prime_handle) { .fd = u->fd };
	if (ioctl(card, DRM_IOCTL_PRIME_FD_TO_HANDLE, prime)) {
		close(card);
		return -errno;
	}
	return card;
}

/* Newer kernels import without a map, as nobody draws into it. */
TEST_F(importer, vgem_newer)
{
	struct drm_prime_handle prime;
	int card;

	if (kernel_before(6, 16))
		SKIP(return, "graphics drivers map what they import");
	ASSERT_FD(&card, vgem_import(&self->u, &prime));
	EXPECT_NE(0, prime.handle);
	EXPECT_EQ(0, maps(&self->u));
	EXPECT_EQ(0, region_revoke(self->u.s.control, self->u.fd));
	close(card);
	result("dma-buf-import-vgem", "works: without a map");
}

/* Two importers at once: each counts, and holds a revoke off. */
TEST_F(importer, vgem)
{
	struct drm_prime_handle prime[3];
	struct drm_gem_close gem = {};
	int card[2];

	if (!kernel_before(6, 16))
		SKIP(return, "graphics drivers do not map what they import");
	for (int i = 0; i < 2; i++) {
		ASSERT_FD(&card[i], vgem_import(&self->u, &prime[i]));
		EXPECT_EQ(i + 1, maps(&self->u));
	}
	EXPECT_EQ(-EBUSY, region_revoke(self->u.s.control, self->u.fd));
	gem.handle = prime[1].handle;
	ASSERT_EQ(0, ioctl(card[1], DRM_IOCTL_GEM_CLOSE, &gem));
	EXPECT_EQ(1, maps(&self->u));
	EXPECT_EQ(-EBUSY, region_revoke(self->u.s.control, self->u.fd));
	close(card[0]);
	EXPECT_EQ(0, maps(&self->u));
	EXPECT_EQ(0, region_revoke(self->u.s.control, self->u.fd));
	EXPECT_EQ(-ENODEV, vgem_import(&self->u, &prime[2]));
	result("dma-buf-import-vgem", "works: mapped for DMA, counted");
}

/*
 * The driver's own mapping of what it has imported: the kernel gives each object
 * a number of pages somewhere behind 4 GiB of the driver's file. MAP_FAILED with
 * errno if it has none that can be mapped so.
 */
static uint8_t *vgem_map(int card, int prot)
{
	const off_t start = INT64_C(1) << 32;
	uint8_t *p = MAP_FAILED;

	for (int i = 0; p == MAP_FAILED && errno != EACCES && i < 16; i++)
		p = mmap(NULL, PAGE, prot, MAP_SHARED, card, start + i * PAGE);
	return p;
}

/* The file that is mapped is the driver's, and open for writing. */
TEST_F(importer, vgem_read_only)
{
	struct drm_prime_handle prime;
	struct users u = self->u;
	uint8_t *p;
	int card;

	ASSERT_FD(&u.fd, region_alloc_read_only(u.s.control, PAGE));
	card = vgem_import(&u, &prime);
	if (kernel_before(6, 16)) {
		EXPECT_EQ(-EACCES, card);
		return;
	}
	ASSERT_LE(0, card);
	errno = 0;
	EXPECT_EQ(MAP_FAILED, vgem_map(card, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	errno = 0;
	p = vgem_map(card, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, p[0]);
	EXPECT_EQ(-1, mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	munmap(p, PAGE);
	close(card);
}

/* The importer alone has the region: the module stays. */
TEST_F(importer, holds_the_module)
{
	struct drm_prime_handle prime;
	struct counters now;
	int card;

	ASSERT_FD(&card, vgem_import(&self->u, &prime));
	munmap(self->u.p, LENGTH);
	close(self->u.fd);
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->u.s.before.value[COUNTER_REGIONS] + 1,
		  now.value[COUNTER_REGIONS]);
	close(self->u.s.control);
	EXPECT_EQ(-1, syscall(SYS_delete_module, "guestmem", O_NONBLOCK));
	EXPECT_EQ(EAGAIN, errno);
	close(card);
	EXPECT_EQ(0, counters_settle(&self->u.s.before));
	self->u.p = map_anonymous(LENGTH);
}

static int vivid_open(void)
{
	char path[32];

	for (int i = 0; i < 8; i++) {
		struct v4l2_capability capability = {};
		int fd;

		snprintf(path, sizeof(path), "/dev/video%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, VIDIOC_QUERYCAP, &capability) &&
		    !strcmp((char *)capability.driver, "vivid") &&
		    capability.device_caps & V4L2_CAP_VIDEO_CAPTURE)
			return fd;
		close(fd);
	}
	return -ENODEV;
}

TEST_F(importer, vivid)
{
	struct v4l2_format format = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.fmt.pix = {
			.width = WIDTH, .height = HEIGHT,
			.pixelformat = V4L2_PIX_FMT_YUYV,
		},
	};
	struct v4l2_requestbuffers request = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
		.count = 1,
	};
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
		.m.fd = self->u.fd,
	};
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE, camera;
	uint64_t at, changed = 0;

	/* Where it is a module, the machine does not start without it. */
	if (access("/sys/module/vivid", F_OK))
		SKIP(return, "no vivid in this kernel");
	ASSERT_FD(&camera, vivid_open());
	ASSERT_EQ(0, ioctl(camera, VIDIOC_S_FMT, &format));
	ASSERT_EQ(FRAME, format.fmt.pix.sizeimage);
	ASSERT_EQ(0, ioctl(camera, VIDIOC_REQBUFS, &request));
	memset(self->u.p, 0x5a, LENGTH);
	ASSERT_EQ(0, ioctl(camera, VIDIOC_QBUF, &buffer))
		result("dma-buf-import-vivid", strerror(errno));
	EXPECT_EQ(1, maps(&self->u));
	EXPECT_EQ(-EBUSY, region_revoke(self->u.s.control, self->u.fd));
	ASSERT_EQ(0, ioctl(camera, VIDIOC_STREAMON, &type));
	ASSERT_EQ(0, ioctl(camera, VIDIOC_DQBUF, &buffer));
	EXPECT_EQ(FRAME, buffer.bytesused);
	for (at = 0; at < FRAME; at++)
		changed += self->u.p[at] != 0x5a;
	EXPECT_LT(FRAME / 2, changed);
	for (at = FRAME; at < LENGTH; at++)
		ASSERT_EQ(0x5a, self->u.p[at]);
	ASSERT_EQ(0, ioctl(camera, VIDIOC_STREAMOFF, &type));
	close(camera);
	EXPECT_EQ(0, maps(&self->u));
	EXPECT_EQ(0, region_revoke(self->u.s.control, self->u.fd));
	result("dma-buf-import-vivid", "works: filmed into");
}

TEST_HARNESS_MAIN
