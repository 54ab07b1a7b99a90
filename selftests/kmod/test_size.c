/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict m32 */
/*
 * test_size.c - the general ioctl format, by one table of all ioctls: sizes
 * short and long, bad pointers, unknown flags, reserved fields, numbers that are
 * no ioctl.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include "kselftest_harness.h"
#include "session.h"

#define LENGTH (4 * PAGE)
#define NONE (-1)

union arg {
	uint32_t size;
	struct guestmem_info info;
	struct guestmem_alloc alloc;
	struct guestmem_pin pin;
	struct guestmem_region_info region_info;
	struct guestmem_revoke revoke;
	struct guestmem_map map;
	struct guestmem_query query;
	struct guestmem_sync sync;
	struct guestmem_unmap unmap;
	struct guestmem_device_info device_info;
	struct guestmem_bar bar;
	struct guestmem_interrupts interrupts;
	uint8_t bytes[64];
};

FIXTURE(size) {
	struct session s;
	int region;
	uint32_t id;
	void *p;
	struct guestmem_segment segment;
	union arg arg;
};

FIXTURE_VARIANT(size) {
	const char *name;
	unsigned int cmd;
	uint32_t size;
	uint32_t known_flags;
	int reserved;
	bool on_device;
};

#define VARIANT(_name, _NAME, _flags, _reserved, _on_device)	\
FIXTURE_VARIANT_ADD(size, _name)				\
{								\
	.name = #_name,						\
	.cmd = GUESTMEM_##_NAME,				\
	.size = sizeof(struct guestmem_##_name),		\
	.known_flags = _flags,					\
	.reserved = _reserved,					\
	.on_device = _on_device,				\
}

#define RESERVED(_name) offsetof(struct guestmem_##_name, reserved)

VARIANT(info, INFO, 0, NONE, false);
VARIANT(alloc, ALLOC, 1, RESERVED(alloc), false);
VARIANT(pin, PIN, 1, NONE, false);
VARIANT(region_info, REGION_INFO, 0, RESERVED(region_info), false);
VARIANT(revoke, REVOKE, 0, RESERVED(revoke), false);
VARIANT(map, MAP, 3, RESERVED(map), true);
VARIANT(query, QUERY, 0, NONE, true);
VARIANT(sync, SYNC, 3, RESERVED(sync), true);
VARIANT(unmap, UNMAP, 0, RESERVED(unmap), true);
VARIANT(device_info, DEVICE_INFO, 0, NONE, true);
VARIANT(bar, BAR, 0, RESERVED(bar), true);
VARIANT(interrupts, INTERRUPTS, 0, RESERVED(interrupts), true);

FIXTURE_SETUP(size)
{
	session_start(_metadata, &self->s, true);
	ASSERT_FD(&self->region, region_alloc(self->s.control, LENGTH));
	self->p = map_anonymous(LENGTH);
	ASSERT_NE(MAP_FAILED, self->p);
}

FIXTURE_TEARDOWN(size)
{
	munmap(self->p, LENGTH);
	session_end(_metadata, &self->s);
}

#define FILE_OF(self, variant) \
	((variant)->on_device ? (self)->s.device : (self)->s.control)

/* A call that succeeds, as often as it is made again. */
static void fill(struct __test_metadata *_metadata, FIXTURE_DATA(size) *self,
		 const FIXTURE_VARIANT(size) *variant)
{
	union arg *a = &self->arg;
	bool mapped = variant->cmd == GUESTMEM_QUERY ||
		      variant->cmd == GUESTMEM_SYNC ||
		      variant->cmd == GUESTMEM_UNMAP;

	memset(a, 0, sizeof(*a));
	if (mapped)
		ASSERT_EQ(0, map_add(self->s.device, self->region, LENGTH,
				     &self->id));
	switch (variant->cmd) {
	case GUESTMEM_ALLOC:
		a->alloc = alloc_arg(LENGTH);
		break;
	case GUESTMEM_PIN:
		a->pin = pin_arg(self->p, LENGTH);
		break;
	case GUESTMEM_REGION_INFO:
		a->region_info.fd = self->region;
		break;
	case GUESTMEM_REVOKE:
		a->revoke.fd = self->region;
		break;
	case GUESTMEM_MAP:
		a->map = map_arg(self->region, LENGTH);
		break;
	case GUESTMEM_QUERY:
		a->query = query_arg(self->id, &self->segment, 1);
		break;
	case GUESTMEM_SYNC:
		a->sync = sync_arg(self->id, LENGTH);
		break;
	case GUESTMEM_UNMAP:
		a->unmap.map_id = self->id;
		break;
	}
	a->size = variant->size;
}

#define REFUSED(code) \
	EXPECT_REFUSED(code, FILE_OF(self, variant), variant->cmd, &self->arg)

TEST_F(size, exact)
{
	fill(_metadata, self, variant);
	EXPECT_EQ(0, do_ioctl(FILE_OF(self, variant), variant->cmd,
			      &self->arg));
	EXPECT_EQ(variant->size, self->arg.size);
}

TEST_F(size, too_short)
{
	const uint32_t bad[] = { 0, 1, 4, 8, variant->size - 4,
				 variant->size - 1 };

	fill(_metadata, self, variant);
	for (int i = 0; i < 6; i++) {
		self->arg.size = bad[i];
		REFUSED(EINVAL);
	}
}

/* A later, longer struct of any length up to a page, its tail zero or not. */
TEST_F(size, longer)
{
	const uint32_t length[] = { variant->size + 1, variant->size + 4,
				    variant->size + 8, 128, 129, 1024,
				    PAGE - 1, PAGE };
	int file = FILE_OF(self, variant), fds;
	uint8_t *p = map_anonymous(PAGE);

	ASSERT_NE(MAP_FAILED, p);
	for (int i = 0; i < 8; i++) {
		fill(_metadata, self, variant);
		self->arg.size = length[i];
		memset(p, 0, PAGE);
		memcpy(p, &self->arg, variant->size);
		fds = fd_state();
		p[variant->size] = 1;
		EXPECT_EQ(-E2BIG, do_ioctl(file, variant->cmd, p));
		p[variant->size] = 0;
		p[length[i] - 1] = 0x80;
		EXPECT_EQ(-E2BIG, do_ioctl(file, variant->cmd, p));
		EXPECT_EQ(0, memcmp(p, &self->arg, variant->size));
		EXPECT_EQ(fds, fd_state());
		/* What is behind the struct does not matter. */
		p[length[i] - 1] = 0;
		if (length[i] < PAGE)
			p[length[i]] = 1;
		EXPECT_EQ(0, do_ioctl(file, variant->cmd, p));
		EXPECT_EQ(length[i], *(uint32_t *)p);
	}
	munmap(p, PAGE);
}

TEST_F(size, above_a_page)
{
	const uint32_t bad[] = { PAGE + 1, 2 * PAGE, 1U << 31, UINT32_MAX };
	uint8_t *p = map_anonymous(4 * PAGE);

	ASSERT_NE(MAP_FAILED, p);
	fill(_metadata, self, variant);
	memcpy(p, &self->arg, variant->size);
	for (int i = 0; i < 4; i++) {
		*(uint32_t *)p = bad[i];
		EXPECT_EQ(-E2BIG, do_ioctl(FILE_OF(self, variant),
					   variant->cmd, p));
	}
	munmap(p, 4 * PAGE);
}

/* The last bytes of a page, with nothing behind. */
TEST_F(size, end_of_a_page)
{
	int file = FILE_OF(self, variant);
	uint8_t *p = map_anonymous(2 * PAGE), *last;

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, munmap(p + PAGE, PAGE));
	fill(_metadata, self, variant);
	last = p + PAGE - variant->size;
	memcpy(last, &self->arg, variant->size);
	EXPECT_EQ(0, do_ioctl(file, variant->cmd, last));
	/* Its tail is not there. */
	fill(_metadata, self, variant);
	memcpy(last, &self->arg, variant->size);
	*(uint32_t *)last = variant->size + 8;
	EXPECT_EQ(-EFAULT, do_ioctl(file, variant->cmd, last));
	/* The size alone is there, and is too short or not all there is. */
	last = p + PAGE - 4;
	*(uint32_t *)last = 4;
	EXPECT_EQ(-EINVAL, do_ioctl(file, variant->cmd, last));
	*(uint32_t *)last = variant->size;
	EXPECT_EQ(-EFAULT, do_ioctl(file, variant->cmd, last));
	munmap(p, PAGE);
}

TEST_F(size, bad_pointer)
{
	int file = FILE_OF(self, variant);
	uint8_t *p = map_anonymous(PAGE);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, munmap(p, PAGE));
	EXPECT_EQ(-EFAULT, do_ioctl(file, variant->cmd, NULL));
	EXPECT_EQ(-EFAULT, do_ioctl(file, variant->cmd, (void *)-4096L));
	EXPECT_EQ(-EFAULT, do_ioctl(file, variant->cmd, p));
}

/* A struct that cannot be written to: no new file descriptor, no new map. */
TEST_F(size, read_only_struct)
{
	bool out = variant->cmd != GUESTMEM_REVOKE &&
		   variant->cmd != GUESTMEM_SYNC &&
		   variant->cmd != GUESTMEM_INTERRUPTS &&
		   variant->cmd != GUESTMEM_UNMAP;
	uint8_t *p = map_anonymous(PAGE);
	struct counters before;
	int fds;

	ASSERT_NE(MAP_FAILED, p);
	fill(_metadata, self, variant);
	memcpy(p, &self->arg, variant->size);
	ASSERT_EQ(0, mprotect(p, PAGE, PROT_READ));
	ASSERT_EQ(0, counters_read(&before));
	fds = fd_state();
	EXPECT_EQ(out ? -EFAULT : 0,
		  do_ioctl(FILE_OF(self, variant), variant->cmd, p));
	EXPECT_EQ(fds, fd_state());
	if (out)
		EXPECT_EQ(0, counters_settle(&before));
	munmap(p, PAGE);
}

TEST_F(size, unknown_flags)
{
	uint32_t *flags = &self->arg.info.flags;

	fill(_metadata, self, variant);
	for (int bit = 0; bit < 32; bit++) {
		if (variant->known_flags & 1U << bit)
			continue;
		*flags = 1U << bit;
		REFUSED(EOPNOTSUPP);
		*flags |= variant->known_flags;
		REFUSED(EOPNOTSUPP);
	}
}

TEST_F(size, reserved)
{
	if (variant->reserved == NONE)
		return;
	fill(_metadata, self, variant);
	for (int bit = 0; bit < 32; bit++) {
		memset(&self->arg.bytes[variant->reserved], 0, 4);
		self->arg.bytes[variant->reserved + bit / 8] = 1 << bit % 8;
		REFUSED(EOPNOTSUPP);
	}
}

/* Each ioctl on the other kind of file, and on a region. */
TEST_F(size, wrong_file)
{
	int other = variant->on_device ? self->s.control : self->s.device;

	fill(_metadata, self, variant);
	EXPECT_REFUSED(ENOTTY, other, variant->cmd, &self->arg);
	EXPECT_REFUSED(ENOTTY, self->region, variant->cmd, &self->arg);
}

/* The same number with any other bit set is another ioctl. */
TEST_F(size, similar_numbers)
{
	fill(_metadata, self, variant);
	for (int bit = 3; bit < 32; bit++) {
		/* Below 3 is the number of another ioctl, maybe. */
		EXPECT_REFUSED(ENOTTY, FILE_OF(self, variant),
			       variant->cmd ^ 1U << bit, &self->arg);
	}
}

FIXTURE(unknown) {
	struct session s;
};

FIXTURE_SETUP(unknown)
{
	session_start(_metadata, &self->s, true);
}

FIXTURE_TEARDOWN(unknown)
{
	session_end(_metadata, &self->s);
}

TEST_F(unknown, numbers)
{
	uint8_t zero[64] = {};

	for (unsigned int nr = 0; nr < 256; nr++) {
		unsigned int cmd = _IO(GUESTMEM_TYPE, nr);

		if (nr > GUESTMEM_CMD_REVOKE)
			EXPECT_EQ(-ENOTTY, do_ioctl(self->s.control, cmd, zero));
		if (nr < GUESTMEM_CMD_MAP || nr > GUESTMEM_CMD_INTERRUPTS)
			EXPECT_EQ(-ENOTTY, do_ioctl(self->s.device, cmd, zero));
	}
	/* Numbers that other files know. */
	EXPECT_EQ(-ENOTTY, do_ioctl(self->s.control, 0x5401, zero));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->s.device, 0x5401, zero));
}

/* What programs were compiled with does not change. */
TEST_F(unknown, abi)
{
	EXPECT_EQ(0xbc00, GUESTMEM_INFO);
	EXPECT_EQ(0xbc01, GUESTMEM_ALLOC);
	EXPECT_EQ(0xbc02, GUESTMEM_PIN);
	EXPECT_EQ(0xbc03, GUESTMEM_REGION_INFO);
	EXPECT_EQ(0xbc04, GUESTMEM_REVOKE);
	EXPECT_EQ(0xbc40, GUESTMEM_MAP);
	EXPECT_EQ(0xbc41, GUESTMEM_QUERY);
	EXPECT_EQ(0xbc42, GUESTMEM_SYNC);
	EXPECT_EQ(0xbc43, GUESTMEM_UNMAP);
	EXPECT_EQ(0xbc44, GUESTMEM_DEVICE_INFO);
	EXPECT_EQ(0xbc45, GUESTMEM_BAR);
	EXPECT_EQ(0xbc46, GUESTMEM_INTERRUPTS);
	EXPECT_EQ(48, sizeof(struct guestmem_info));
	EXPECT_EQ(32, sizeof(struct guestmem_alloc));
	EXPECT_EQ(32, sizeof(struct guestmem_pin));
	EXPECT_EQ(48, sizeof(struct guestmem_region_info));
	EXPECT_EQ(16, sizeof(struct guestmem_revoke));
	EXPECT_EQ(48, sizeof(struct guestmem_map));
	EXPECT_EQ(24, sizeof(struct guestmem_segment));
	EXPECT_EQ(32, sizeof(struct guestmem_query));
	EXPECT_EQ(32, sizeof(struct guestmem_sync));
	EXPECT_EQ(16, sizeof(struct guestmem_unmap));
	EXPECT_EQ(28, sizeof(struct guestmem_device_info));
	EXPECT_EQ(32, sizeof(struct guestmem_bar));
	EXPECT_EQ(24, sizeof(struct guestmem_interrupts));
}

TEST_HARNESS_MAIN
