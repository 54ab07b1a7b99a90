/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Grants of real domains: in advance and on demand, read-only ones, ones that there are
 * not; what is mapped by the hypervisor's word; files; a virtual CPU that answers.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
/* In this order: the second relies on what the first includes. */
#include <xen/privcmd.h>
#include <xen/gntdev.h>
#include "../unit/expect.h"
#include "../unit/vma.h"
#include "kselftest_harness.h"
#include <guestmem.h>
#include "domain.h"
#include "guest_code.h"

#define ON_DEMAND (GM_XEN_GRANT | GM_XEN_NO_ADVANCE_MAP)
#define PAGES 64u
/* Grant FIRST + n is page n. */
#define FIRST 16u

#define MANY 1024u

/*
 * Has the driver requests that were not taken back? It gives a new one the first place
 * where it fits, so one of many gets the first of all only if there is none.
 */
static bool has_requests(int fd)
{
	struct ioctl_gntdev_unmap_grant_ref unmap = { .count = MANY };
	static struct {
		struct ioctl_gntdev_map_grant_ref arg;
		struct ioctl_gntdev_grant_ref more[MANY - 1];
	} map;

	map.arg.count = MANY;
	if (ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, &map))
		return true;
	unmap.index = map.arg.index;
	return ioctl(fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap) || map.arg.index;
}

FIXTURE(grant) {
	struct domain d;
	struct gm_file *file;
};

FIXTURE_SETUP(grant)
{
	int fd = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);
	uint32_t i;

	ASSERT_LE(0, fd);
	ASSERT_OK(gm_file_new(fd, &self->file));
	ASSERT_EQ(0, domain_new_hvm(&self->d, PAGES, 1));
	for (i = 0; i < PAGES; i++)
		domain_grant(&self->d, FIRST + i, i, false);
}

FIXTURE_TEARDOWN(grant)
{
	EXPECT_EQ(0, domain_grants_mapped(&self->d, self->d.grant_count));
	EXPECT_EQ(0, domain_destroy(&self->d));
	EXPECT_FALSE(domain_is_there(&self->d));
	EXPECT_EQ(0, vma_count("gntdev"));
	EXPECT_FALSE(has_requests(gm_file_fd(self->file)));
	gm_file_put(self->file);
}

static int map_grants(struct gm_file *file, const struct domain *d, uint32_t ref, uint64_t len,
		      uint32_t xen_flags, uint32_t cache_pages, uint32_t flags,
		      struct gm_region **out)
{
	struct gm_xen_opts x = {
		.sz = sizeof(x), .flags = xen_flags, .data = d->id, .cache_pages = cache_pages,
	};
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = flags, .file = file };

	return gm_region_new_xen(gm_gpa(GM_XEN_GRANT_ADDR_OFF + ref * PAGE), len, &x, &o, out);
}

#define MAP(ref, len, xen_flags, flags, out) \
	map_grants(self->file, &self->d, ref, len, xen_flags, 0, flags, out)

static uint64_t mapped(struct gm_region *r)
{
	struct gm_xen_stats stats;

	return gm_region_xen_stats(r, &stats) ? UINT64_MAX : stats.mapped;
}

TEST_F(grant, in_advance_both_ways)
{
	struct gm_region *r, *same;
	uint32_t x;

	ASSERT_OK(MAP(FIRST, PAGES * PAGE - 9, GM_XEN_GRANT, GM_MMAP_DIRTY, &r));
	EXPECT_EQ(PAGES, mapped(r));
	EXPECT_EQ(PAGES, domain_grants_mapped(&self->d, self->d.grant_count));
	ASSERT_OK(MAP(FIRST + 9, 2 * PAGE, GM_XEN_GRANT, 0, &same));
	EXPECT_EQ(0, gm_slice_write(gm_region_as_slice(r), 10 * PAGE - 2, "abcd", 4));
	EXPECT_EQ(0, memcmp(same->ext.host + PAGE - 2, "abcd", 4));
	EXPECT_TRUE(gm_bitmap_test(gm_region_bitmap(r), 10 * PAGE));
	EXPECT_EQ(0, gm_slice_store_u32(gm_region_as_slice(same), 8, 99, GM_RELEASE));
	EXPECT_EQ(0, gm_slice_load_u32(gm_region_as_slice(r), 9 * PAGE + 8, GM_ACQUIRE, &x));
	EXPECT_EQ(99, x);
	gm_region_put(r);
	EXPECT_EQ(2, domain_grants_mapped(&self->d, self->d.grant_count));
	gm_region_put(same);
}

TEST_F(grant, that_is_none)
{
	struct gm_region *r = NULL;

	/* Behind the last; in the middle; another domain's. */
	EXPECT_FAIL(MAP(FIRST + PAGES - 1, 2 * PAGE, GM_XEN_GRANT, 0, &r), EINVAL,
		    GM_ERR_XEN_GRANT, FIRST + PAGES - 1, 2, self->d.id, 0);
	EXPECT_FAIL(MAP(FIRST - 1, 3 * PAGE, GM_XEN_GRANT, 0, &r), EINVAL, GM_ERR_XEN_GRANT,
		    FIRST - 1, 3, self->d.id, 0);
	EXPECT_FAIL(MAP(self->d.grant_count + 5, PAGE, GM_XEN_GRANT, 0, &r), EINVAL,
		    GM_ERR_XEN_GRANT, self->d.grant_count + 5, 1, self->d.id, 0);
	EXPECT_EQ(NULL, r);
	EXPECT_EQ(0, domain_grants_mapped(&self->d, self->d.grant_count));
	EXPECT_EQ(0, vma_count("gntdev"));
}

TEST_F(grant, read_only)
{
	struct gm_region *r = NULL;
	uint8_t x[4] = { 0 };

	domain_grant(&self->d, 3, 7, true);
	EXPECT_FAIL(MAP(3, PAGE, GM_XEN_GRANT, 0, &r), EINVAL, GM_ERR_XEN_GRANT, 3, 1,
		    self->d.id, 0);
	ASSERT_OK(MAP(FIRST + 7, PAGE, ON_DEMAND, 0, &r));
	EXPECT_EQ(0, gm_slice_write(gm_region_as_slice(r), 0, "ro", 2));
	gm_region_put(r);
	ASSERT_OK(MAP(3, PAGE, GM_XEN_GRANT, GM_MMAP_READ_ONLY, &r));
	EXPECT_EQ(0, gm_slice_read(gm_region_as_slice(r), 0, x, 2));
	EXPECT_EQ(0, memcmp(x, "ro", 2));
	gm_region_put(r);
	/* A region that may write reads it all the same. */
	ASSERT_OK(MAP(3, PAGE, ON_DEMAND, 0, &r));
	EXPECT_EQ(0, gm_slice_read(gm_region_as_slice(r), 0, x, 2));
	EXPECT_FAIL(gm_slice_write(gm_region_as_slice(r), 0, "w", 1), EINVAL, GM_ERR_XEN_GRANT,
		    3, 1, self->d.id, 0);
	gm_region_put(r);
}

TEST_F(grant, on_demand_maps_what_an_access_needs)
{
	struct gm_region *r, *all;
	struct gm_slice s;
	struct gm_guard g;
	uint32_t x = 0;

	ASSERT_OK(MAP(FIRST, PAGES * PAGE, GM_XEN_GRANT, 0, &all));
	ASSERT_OK(MAP(FIRST, PAGES * PAGE, ON_DEMAND, GM_MMAP_DIRTY, &r));
	s = gm_region_as_slice(r);
	EXPECT_EQ(0, mapped(r));
	EXPECT_EQ(0, gm_slice_write(s, 2 * PAGE - 2, "abcd", 4));
	EXPECT_EQ(0, memcmp(all->ext.host + 2 * PAGE - 2, "abcd", 4));
	EXPECT_TRUE(gm_bitmap_test(gm_region_bitmap(r), 2 * PAGE));
	EXPECT_EQ(0, gm_slice_store_u32(s, 5 * PAGE + 4, 12345, GM_RELEASE));
	EXPECT_EQ(0, gm_slice_load_u32(s, 5 * PAGE + 4, GM_ACQUIRE, &x));
	EXPECT_EQ(12345, x);
	gm_region_put(all);
	EXPECT_EQ(0, domain_grants_mapped(&self->d, self->d.grant_count));

	ASSERT_OK(gm_slice_sub(s, 3 * PAGE + 1, 4 * PAGE, &s));
	ASSERT_OK(gm_slice_begin(s, GM_PERM_READ, &g));
	EXPECT_EQ(5, mapped(r));
	EXPECT_EQ(5, domain_grants_mapped(&self->d, self->d.grant_count));
	EXPECT_TRUE(domain_grant_is_mapped(&self->d, FIRST + 7));
	EXPECT_FALSE(domain_grant_is_mapped(&self->d, FIRST + 8));
	gm_guard_end(&g);
	EXPECT_EQ(0, mapped(r));
	EXPECT_EQ(0, domain_grants_mapped(&self->d, self->d.grant_count));
	gm_region_put(r);
}

TEST_F(grant, on_demand_refs_and_arrays)
{
	struct gm_array a;
	struct gm_region *r;
	uint32_t i, in[40], out[40];

	ASSERT_OK(MAP(FIRST, PAGES * PAGE, ON_DEMAND, 0, &r));
	for (i = 0; i < 40; i++)
		in[i] = i * 3;
	/* Over a page's border. */
	ASSERT_OK(gm_slice_array(gm_region_as_slice(r), PAGE - 80, 4, 40, &a));
	EXPECT_EQ(40, gm_array_copy_from(a, in, 40));
	memset(out, 0, sizeof(out));
	EXPECT_EQ(40, gm_array_copy_to(a, out, 40));
	EXPECT_EQ(0, memcmp(in, out, sizeof(in)));
	EXPECT_EQ(0, mapped(r));
	gm_region_put(r);
}

/* From a file and to one, through memory that is mapped for it alone. */
TEST_F(grant, on_demand_files)
{
	static uint8_t want[5 * 4096], have[5 * 4096];
	struct gm_range range = { gm_gpa(GM_XEN_GRANT_ADDR_OFF + FIRST * PAGE + 100),
				  sizeof(want) };
	struct gm_fd_source in;
	struct gm_fd_sink out;
	struct gm_region *r;
	struct gm_view v;
	struct gm_map *m;
	size_t i;
	int fd;

	for (i = 0; i < sizeof(want); i++)
		want[i] = (uint8_t)(i * 7 + i / 4096);
	fd = open("/tmp/file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)sizeof(want), write(fd, want, sizeof(want)));
	ASSERT_OK(MAP(FIRST, PAGES * PAGE, ON_DEMAND, 0, &r));
	ASSERT_OK(gm_map_new(&r, 1, &m));
	gm_view_init(&v, m);
	gm_fd_source_init_at(&in, fd, 0);
	EXPECT_EQ(0, gm_view_read_exact_from(&v, range.gpa, &in.source, sizeof(want)));
	EXPECT_EQ(0, gm_view_read(&v, range.gpa, have, sizeof(have)));
	EXPECT_EQ(0, memcmp(want, have, sizeof(want)));
	ASSERT_EQ(0, ftruncate(fd, 0));
	gm_fd_sink_init_at(&out, fd, 0);
	EXPECT_EQ(0, gm_view_write_all_to(&v, range.gpa, &out.sink, sizeof(want)));
	memset(have, 0, sizeof(have));
	EXPECT_EQ((ssize_t)sizeof(have), pread(fd, have, sizeof(have), 0));
	EXPECT_EQ(0, memcmp(want, have, sizeof(want)));
	EXPECT_EQ(0, mapped(r));
	EXPECT_EQ(0, domain_grants_mapped(&self->d, self->d.grant_count));
	close(fd);
	gm_map_put(m);
	gm_region_put(r);
}

TEST_F(grant, on_demand_error_leaves_nothing)
{
	static uint8_t buf[4 * 4096];
	struct gm_region *r;
	struct gm_slice s;

	ASSERT_OK(MAP(FIRST, (PAGES + 8) * PAGE, ON_DEMAND, 0, &r));
	s = gm_region_as_slice(r);
	/* The first two pages are there. */
	EXPECT_FAIL(gm_slice_read(s, (PAGES - 2) * PAGE, buf, sizeof(buf)), EINVAL,
		    GM_ERR_XEN_GRANT, FIRST + PAGES - 2, 4, self->d.id, 0);
	EXPECT_EQ(0, mapped(r));
	EXPECT_EQ(0, domain_grants_mapped(&self->d, self->d.grant_count));
	EXPECT_EQ(0, vma_count("gntdev"));
	/* It is granted later: then it can be had. */
	domain_grant(&self->d, FIRST + PAGES, 1, false);
	EXPECT_EQ(0, gm_slice_read(s, PAGES * PAGE, buf, 4096));
	gm_region_put(r);
}

TEST_F(grant, kept_pages)
{
	struct gm_xen_stats stats;
	struct gm_region *r;
	struct gm_slice s;
	uint64_t i, x;

	ASSERT_OK(map_grants(self->file, &self->d, FIRST, PAGES * PAGE, ON_DEMAND, 4, 0, &r));
	s = gm_region_as_slice(r);
	for (i = 0; i < 100; i++) {
		EXPECT_EQ(0, gm_slice_write_u64(s, i % 4 * PAGE, i));
		EXPECT_EQ(0, gm_slice_read_u64(s, i % 4 * PAGE, &x));
		EXPECT_EQ(i, x);
	}
	EXPECT_EQ(0, gm_region_xen_stats(r, &stats));
	EXPECT_EQ(4, stats.requests);
	EXPECT_EQ(196, stats.hits);
	EXPECT_EQ(4, domain_grants_mapped(&self->d, self->d.grant_count));
	for (i = 0; i < PAGES; i++)
		EXPECT_EQ(0, gm_slice_write_u64(s, i * PAGE, i));
	EXPECT_EQ(4, domain_grants_mapped(&self->d, self->d.grant_count));
	EXPECT_EQ(0, gm_region_xen_trim(r));
	EXPECT_EQ(0, domain_grants_mapped(&self->d, self->d.grant_count));
	gm_region_put(r);
}

TEST_F(grant, child_takes_nothing_back)
{
	struct gm_region *r, *kept;
	int status = -1;
	uint64_t x;
	pid_t pid;

	ASSERT_OK(MAP(FIRST, 8 * PAGE, GM_XEN_GRANT, 0, &r));
	ASSERT_OK(map_grants(self->file, &self->d, FIRST + 8, 8 * PAGE, ON_DEMAND, 4, 0, &kept));
	EXPECT_EQ(0, gm_slice_write_u64(gm_region_as_slice(kept), 0, 5));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		gm_region_put(r);
		gm_region_put(kept);
		_exit(0);
	}
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(9, domain_grants_mapped(&self->d, self->d.grant_count));
	EXPECT_EQ(0, gm_slice_read_u64(gm_region_as_slice(kept), 0, &x));
	EXPECT_EQ(5, x);
	r->ext.host[0] = 1;
	gm_region_put(kept);
	gm_region_put(r);
}

/* The question by one kind of mapping, the answer by the other, and the other way round. */
TEST_F(grant, virtual_cpu_answers)
{
	struct gm_region *question, *answer, *code;
	uint32_t i, x = 0;
	int try;

	ASSERT_OK(MAP(FIRST + CODE_PAGE, PAGE, ON_DEMAND, 0, &code));
	ASSERT_OK(gm_slice_write(gm_region_as_slice(code), 0, guest_code, sizeof(guest_code)));
	ASSERT_OK(MAP(FIRST + QUESTION_PAGE, PAGE, GM_XEN_GRANT, 0, &question));
	ASSERT_OK(MAP(FIRST + ANSWER_PAGE, PAGE, ON_DEMAND, 0, &answer));
	ASSERT_EQ(0, domain_run(&self->d, CODE_PAGE * PAGE));
	for (i = 2000; i < 2005; i++) {
		ASSERT_OK(gm_slice_store_u32(gm_region_as_slice(question), 0, i, GM_RELEASE));
		for (try = 0; try < 1000 && x != i + 1; try++) {
			usleep(10000);
			ASSERT_OK(gm_slice_load_u32(gm_region_as_slice(answer), 0, GM_ACQUIRE,
						    &x));
		}
		EXPECT_EQ(i + 1, x);
	}
	gm_region_put(answer);
	gm_region_put(question);
	gm_region_put(code);
}

TEST_F(grant, destroyed_while_mapped)
{
	struct domain d;
	struct gm_region *r;
	uint8_t x = 0;

	ASSERT_EQ(0, domain_new_hvm(&d, 8, 1));
	domain_grant(&d, 1, 2, false);
	ASSERT_OK(map_grants(self->file, &d, 1, PAGE, GM_XEN_GRANT, 0, 0, &r));
	r->ext.host[5] = 55;
	EXPECT_EQ(0, domain_destroy(&d));
	EXPECT_TRUE(domain_is_there(&d));
	EXPECT_EQ(0, gm_slice_read(gm_region_as_slice(r), 5, &x, 1));
	EXPECT_EQ(55, x);
	gm_region_put(r);
	EXPECT_FALSE(domain_is_there(&d));
}

TEST(pv_domain_grants_the_machines_pages)
{
	struct gm_file *file;
	struct gm_region *r;
	struct domain d;
	uint64_t x = 0;

	ASSERT_OK(gm_file_new(open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC), &file));
	ASSERT_EQ(0, domain_new_pv(&d, 8, 1));
	domain_grant(&d, 40, d.first + 3, false);
	ASSERT_OK(map_grants(file, &d, 40, PAGE, ON_DEMAND, 0, 0, &r));
	EXPECT_EQ(0, gm_slice_write_u64(gm_region_as_slice(r), 0, 4711));
	EXPECT_EQ(0, gm_slice_read_u64(gm_region_as_slice(r), 0, &x));
	EXPECT_EQ(4711, x);
	gm_region_put(r);
	EXPECT_EQ(0, domain_destroy(&d));
	EXPECT_FALSE(domain_is_there(&d));
	gm_file_put(file);
}

TEST_HARNESS_MAIN
