/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * io.h: file descriptors as sources and sinks: files, pipes, sockets.
 */
#include "kselftest_harness.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <guestmem/io.h>
#include <guestmem/region.h>
#include "expect.h"
#include "own_region.h"

#define LEN 64

FIXTURE(fd) {
	uint8_t mem[LEN];
	struct gm_bitmap *bm;	/* a bit a byte */
	struct gm_slice s;
	int file;		/* "0123456789" */
};

FIXTURE_SETUP(fd)
{
	for (size_t i = 0; i < LEN; i++)
		self->mem[i] = (uint8_t)('A' + i);
	ASSERT_OK(gm_bitmap_new(LEN, 1, &self->bm));
	self->s = gm_slice_new_dirty(self->mem, LEN, self->bm, 0);
	self->file = memfd_create("io", MFD_CLOEXEC);
	ASSERT_EQ(10, write(self->file, "0123456789", 10));
	ASSERT_EQ(0, lseek(self->file, 0, SEEK_SET));
}

FIXTURE_TEARDOWN(fd)
{
	gm_bitmap_put(self->bm);
	close(self->file);
}

static bool only_marked(struct gm_bitmap *bm, uint64_t first, uint64_t n)
{
	for (uint64_t i = 0; i < LEN; i++)
		if (gm_bitmap_test_page(bm, i) != (i - first < n))
			return false;
	return true;
}

TEST_F(fd, file_source_reads_on_from_its_own_position)
{
	struct gm_fd_source f;

	gm_fd_source_init(&f, self->file);
	EXPECT_EQ(self->file, f.fd);
	EXPECT_GT(0, f.off);
	EXPECT_EQ(4, gm_slice_read_from(self->s, 2, &f.source, 4));
	EXPECT_EQ(4, lseek(self->file, 0, SEEK_CUR));
	EXPECT_EQ(0, gm_slice_read_exact_from(self->s, 6, &f.source, 3));
	EXPECT_EQ(0, memcmp(self->mem, "AB0123456JK", 11));
	EXPECT_TRUE(only_marked(self->bm, 2, 7));
	EXPECT_EQ(3, gm_slice_read_from(self->s, 10, &f.source, 50));
	EXPECT_EQ(0, memcmp(self->mem + 10, "789N", 4));
	EXPECT_EQ(0, gm_slice_read_from(self->s, 0, &f.source, 50));
	EXPECT_FAIL(gm_slice_read_exact_from(self->s, 20, &f.source, 5), ENODATA,
		    GM_ERR_UNEXPECTED_END, 20, 0, 5, 0);
}

TEST_F(fd, file_source_at_place_advances_and_leaves_position_alone)
{
	struct gm_fd_source f;

	gm_fd_source_init_at(&f, self->file, 3);
	EXPECT_EQ(3, f.off);
	EXPECT_EQ(0, gm_slice_read_exact_from(self->s, 0, &f.source, 4));
	EXPECT_EQ(7, f.off);
	EXPECT_FAIL(gm_slice_read_exact_from(self->s, 4, &f.source, 4), ENODATA,
		    GM_ERR_UNEXPECTED_END, 7, 0, 4, 3);
	EXPECT_EQ(10, f.off);
	EXPECT_EQ(0, memcmp(self->mem, "3456789H", 8));
	EXPECT_EQ(0, lseek(self->file, 0, SEEK_CUR));
	gm_fd_source_init_at(&f, self->file, 1000);
	EXPECT_EQ(0, gm_slice_read_from(self->s, 0, &f.source, 4));
}

TEST_F(fd, file_sink_writes_on_from_its_own_position)
{
	struct gm_fd_sink f;
	char buf[16] = { 0 };

	gm_fd_sink_init(&f, self->file);
	ASSERT_EQ(2, lseek(self->file, 2, SEEK_SET));
	EXPECT_EQ(3, gm_slice_write_to(self->s, 1, &f.sink, 3));
	EXPECT_EQ(0, gm_slice_write_all_to(self->s, 10, &f.sink, 7));
	EXPECT_EQ(12, lseek(self->file, 0, SEEK_CUR));
	EXPECT_EQ(12, pread(self->file, buf, 16, 0));
	EXPECT_EQ(0, memcmp(buf, "01BCDKLMNOPQ", 12));
	EXPECT_TRUE(only_marked(self->bm, 0, 0));
}

TEST_F(fd, file_sink_at_place_advances_and_leaves_position_alone)
{
	struct gm_fd_sink f;
	char buf[16] = { 0 };

	gm_fd_sink_init_at(&f, self->file, 4);
	EXPECT_EQ(0, gm_slice_write_all_to(self->s, 0, &f.sink, 2));
	EXPECT_EQ(6, f.off);
	EXPECT_EQ(1, gm_slice_write_to(self->s, LEN - 1, &f.sink, 9));
	EXPECT_EQ(7, f.off);
	EXPECT_EQ(0, lseek(self->file, 0, SEEK_CUR));
	EXPECT_EQ(10, pread(self->file, buf, 16, 0));
	EXPECT_EQ(0, memcmp(buf, "0123AB\x80" "789", 10));
}

/* A request that spans slices is one system call: a datagram is not cut up. */
TEST_F(fd, all_slices_of_a_request_move_in_one_call)
{
	struct gm_fd_source src;
	struct gm_fd_sink sink;
	struct gm_slice s[3];
	char buf[16];
	int sv[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
	ASSERT_OK(gm_slice_sub(self->s, 0, 2, &s[0]));
	ASSERT_OK(gm_slice_sub(self->s, 10, 3, &s[1]));
	ASSERT_OK(gm_slice_sub(self->s, 20, 4, &s[2]));
	gm_fd_sink_init(&sink, sv[0]);
	EXPECT_EQ(9, sink.sink.write(&sink.sink, s, 3));
	EXPECT_EQ(9, recv(sv[1], buf, sizeof(buf), MSG_DONTWAIT));
	EXPECT_EQ(0, memcmp(buf, "ABKLMUVWX", 9));
	EXPECT_EQ(6, send(sv[1], "uvwxyz", 6, 0));
	gm_fd_source_init(&src, sv[0]);
	EXPECT_EQ(6, src.source.read(&src.source, s, 3));
	EXPECT_EQ(0, memcmp(self->mem, "uvC", 3));
	EXPECT_EQ(0, memcmp(self->mem + 10, "wxyN", 4));
	EXPECT_EQ(0, memcmp(self->mem + 20, "zV", 2));
	for (uint64_t i = 0; i < LEN; i++)
		EXPECT_EQ(i < 2 || (i >= 10 && i < 13) || i == 20,
			  gm_bitmap_test_page(self->bm, i));
	close(sv[0]);
	close(sv[1]);
}

/* Guest bytes into @w, and what comes out of @r back into guest memory. */
static void check_stream(struct __test_metadata *_metadata, struct gm_slice s,
			 int w, int r)
{
	struct gm_fd_source src;
	struct gm_fd_sink sink;
	uint8_t sent[30], got[30];

	gm_fd_sink_init(&sink, w);
	gm_fd_source_init(&src, r);
	ASSERT_EQ(0, gm_slice_read(s, 0, sent, 30));
	EXPECT_EQ(0, gm_slice_write_all_to(s, 0, &sink.sink, 30));
	EXPECT_EQ(0, gm_slice_read_exact_from(s, 32, &src.source, 30));
	ASSERT_EQ(0, gm_slice_read(s, 32, got, 30));
	EXPECT_EQ(0, memcmp(sent, got, 30));
	/* More is wanted than there is: what is there, and no waiting. */
	EXPECT_EQ(0, gm_slice_write_all_to(s, 0, &sink.sink, 3));
	EXPECT_EQ(3, gm_slice_read_from(s, 32, &src.source, 30));
	/* The other side closes: the end of the source. */
	close(w);
	EXPECT_EQ(0, gm_slice_read_from(s, 32, &src.source, 30));
	close(r);
}

TEST_F(fd, pipe_as_sink_and_source)
{
	int p[2];

	ASSERT_EQ(0, pipe(p));
	check_stream(_metadata, self->s, p[1], p[0]);
}

TEST_F(fd, unix_socket_as_sink_and_source)
{
	int sv[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	check_stream(_metadata, self->s, sv[0], sv[1]);
}

TEST_F(fd, tcp_socket_as_sink_and_source)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int l, c, d;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	l = socket(AF_INET, SOCK_STREAM, 0);
	if (l < 0 || bind(l, (struct sockaddr *)&a, len) || listen(l, 1))
		SKIP(return, "no loopback network here");
	ASSERT_EQ(0, getsockname(l, (struct sockaddr *)&a, &len));
	c = socket(AF_INET, SOCK_STREAM, 0);
	ASSERT_EQ(0, connect(c, (struct sockaddr *)&a, len));
	d = accept(l, NULL, NULL);
	ASSERT_LE(0, d);
	check_stream(_metadata, self->s, c, d);
	close(l);
}

TEST_F(fd, standard_output_as_sink)
{
	struct gm_fd_sink sink;
	int p[2], saved;
	char buf[8];

	ASSERT_EQ(0, pipe(p));
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	ASSERT_EQ(STDOUT_FILENO, dup2(p[1], STDOUT_FILENO));
	gm_fd_sink_init(&sink, STDOUT_FILENO);
	EXPECT_EQ(0, gm_slice_write_all_to(self->s, 1, &sink.sink, 5));
	ASSERT_EQ(STDOUT_FILENO, dup2(saved, STDOUT_FILENO));
	EXPECT_EQ(5, read(p[0], buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "BCDEF", 5));
	close(saved);
	close(p[0]);
	close(p[1]);
}

/* Signals hit while the call waits; the last handler run lets it go on. */
static volatile sig_atomic_t signals, let_go_fd, let_go_is_read;

static void on_signal(int sig)
{
	char buf[4096];
	int saved = errno;

	if (++signals < 4)
		return;
	if (!let_go_is_read)
		let_go_fd = write(let_go_fd, "wake", 4) == 4 ? let_go_fd : -1;
	else
		while (read(let_go_fd, buf, sizeof(buf)) > 0)
			;
	errno = saved;
}

static void start_signals(int fd, bool is_read)
{
	struct sigaction sa = { .sa_handler = on_signal };	/* no SA_RESTART */
	struct itimerval tick = { { 0, 10000 }, { 0, 10000 } };

	let_go_fd = fd;
	let_go_is_read = is_read;
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &tick, NULL);
}

static void stop_signals(void)
{
	struct itimerval none = { { 0, 0 }, { 0, 0 } };

	setitimer(ITIMER_REAL, &none, NULL);
}

TEST_F(fd, interrupted_read_is_retried)
{
	struct gm_fd_source src;
	int p[2];

	ASSERT_EQ(0, pipe(p));
	gm_fd_source_init(&src, p[0]);
	start_signals(p[1], false);
	EXPECT_EQ(4, gm_slice_read_from(self->s, 0, &src.source, 4));
	stop_signals();
	EXPECT_LE(4, signals);
	EXPECT_EQ(0, memcmp(self->mem, "wakeE", 5));
	close(p[0]);
	close(p[1]);
}

TEST_F(fd, interrupted_write_is_retried)
{
	struct gm_fd_sink sink;
	char page[4096] = { 0 };
	int p[2];

	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, fcntl(p[0], F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, fcntl(p[1], F_SETFL, O_NONBLOCK));
	while (write(p[1], page, sizeof(page)) > 0)
		;
	ASSERT_EQ(0, fcntl(p[1], F_SETFL, 0));
	gm_fd_sink_init(&sink, p[1]);
	start_signals(p[0], true);
	EXPECT_EQ(5, gm_slice_write_to(self->s, 0, &sink.sink, 5));
	stop_signals();
	EXPECT_LE(4, signals);
	close(p[0]);
	close(p[1]);
}

TEST_F(fd, failed_read_marks_whole_target)
{
	struct gm_fd_source src;
	int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ASSERT_LE(0, dir);
	gm_fd_source_init(&src, dir);
	EXPECT_FAIL_KIND(gm_slice_read_from(self->s, 3, &src.source, 40), EISDIR,
			 GM_ERR_IO);
	EXPECT_TRUE(only_marked(self->bm, 3, 40));
	close(dir);

	gm_bitmap_reset(self->bm);
	gm_fd_source_init(&src, dir);
	EXPECT_FAIL_KIND(gm_slice_read_exact_from(self->s, 8, &src.source, 40), EBADF,
			 GM_ERR_IO);
	EXPECT_TRUE(only_marked(self->bm, 8, 40));
	EXPECT_EQ('A', self->mem[0]);

	gm_bitmap_reset(self->bm);
	gm_fd_source_init_at(&src, -1, 5);
	EXPECT_FAIL_KIND(gm_slice_read_from(self->s, 0, &src.source, LEN), EBADF,
			 GM_ERR_IO);
	EXPECT_EQ(5, src.off);
	EXPECT_TRUE(only_marked(self->bm, 0, LEN));
}

TEST_F(fd, failed_write_tells_errno_and_marks_nothing)
{
	struct gm_fd_sink sink;
	int p[2];

	gm_fd_sink_init(&sink, -1);
	EXPECT_FAIL_KIND(gm_slice_write_to(self->s, 3, &sink.sink, 40), EBADF, GM_ERR_IO);
	EXPECT_FAIL_KIND(gm_slice_write_all_to(self->s, 3, &sink.sink, 40), EBADF,
			 GM_ERR_IO);
	gm_fd_sink_init_at(&sink, -1, 5);
	EXPECT_FAIL_KIND(gm_slice_write_to(self->s, 3, &sink.sink, 40), EBADF, GM_ERR_IO);
	EXPECT_EQ(5, sink.off);
	ASSERT_EQ(0, pipe(p));
	ASSERT_TRUE(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	close(p[0]);
	gm_fd_sink_init(&sink, p[1]);
	EXPECT_FAIL_KIND(gm_slice_write_to(self->s, 3, &sink.sink, 40), EPIPE, GM_ERR_IO);
	close(p[1]);
	/* A pipe has no places. */
	ASSERT_EQ(0, pipe(p));
	gm_fd_sink_init_at(&sink, p[1], 0);
	EXPECT_FAIL_KIND(gm_slice_write_to(self->s, 3, &sink.sink, 4), ESPIPE, GM_ERR_IO);
	close(p[0]);
	close(p[1]);
	EXPECT_TRUE(only_marked(self->bm, 0, 0));
}

TEST_F(fd, nonblocking_descriptor_tells_eagain)
{
	struct gm_fd_source src;
	int p[2];

	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, fcntl(p[0], F_SETFL, O_NONBLOCK));
	gm_fd_source_init(&src, p[0]);
	EXPECT_FAIL_KIND(gm_slice_read_from(self->s, 0, &src.source, 4), EAGAIN, GM_ERR_IO);
	close(p[0]);
	close(p[1]);
}

TEST_F(fd, on_demand_memory_is_given_back_around_the_call)
{
	struct gm_fd_source src;
	struct gm_fd_sink sink;
	struct own_region o;
	char buf[16] = { 0 };

	ASSERT_OK(own_region_init_on_demand(&o, 0, LEN, self->mem, self->bm));
	gm_fd_source_init_at(&src, self->file, 0);
	EXPECT_EQ(0, gm_region_read_exact_from(&o.r, gm_roff(8), &src.source, 10));
	EXPECT_EQ(0, memcmp(self->mem + 7, "H0123456789S", 12));
	EXPECT_EQ(8, o.last_off);
	EXPECT_EQ(10, o.last_len);
	EXPECT_EQ(GM_PERM_WRITE, o.last_perm);
	EXPECT_TRUE(only_marked(self->bm, 8, 10));
	gm_fd_sink_init_at(&sink, self->file, 0);
	EXPECT_EQ(0, gm_region_write_all_to(&o.r, gm_roff(0), &sink.sink, 6));
	EXPECT_EQ(10, pread(self->file, buf, 16, 0));
	EXPECT_EQ(0, memcmp(buf, "ABCDEF6789", 10));
	EXPECT_EQ(GM_PERM_READ, o.last_perm);
	/* A region that fails: its own errno, and no system call. */
	o.fail = -EHOSTDOWN;
	EXPECT_EQ(-EHOSTDOWN, gm_region_read_from(&o.r, gm_roff(0), &src.source, 10));
	EXPECT_EQ(-EHOSTDOWN, gm_region_write_to(&o.r, gm_roff(0), &sink.sink, 10));
	EXPECT_EQ(10, src.off);
	EXPECT_EQ(6, sink.off);
	EXPECT_EQ(0, o.open);
	gm_region_put(&o.r);
	EXPECT_EQ(0, o.bad);
}

TEST_F(fd, slice_that_fails_gives_back_those_before_it)
{
	struct own_region good, bad;
	struct gm_fd_source src;
	struct gm_fd_sink sink;
	struct gm_slice s[3];
	uint8_t mem[8];

	ASSERT_OK(own_region_init_on_demand(&good, 0, LEN, self->mem, self->bm));
	ASSERT_OK(own_region_init_on_demand(&bad, 0, sizeof(mem), mem, NULL));
	bad.fail = -EHOSTDOWN;
	ASSERT_OK(gm_region_slice(&good.r, gm_roff(0), 4, &s[0]));
	ASSERT_OK(gm_region_slice(&good.r, gm_roff(8), 4, &s[1]));
	s[2] = gm_region_as_slice(&bad.r);
	gm_fd_source_init(&src, self->file);
	gm_fd_sink_init(&sink, self->file);
	EXPECT_EQ(-EHOSTDOWN, src.source.read(&src.source, s, 3));
	EXPECT_EQ(-EHOSTDOWN, sink.sink.write(&sink.sink, s, 3));
	EXPECT_EQ(4, good.begins);
	EXPECT_EQ(0, good.open);
	/* There was no system call: nothing moved, nothing is dirty. */
	EXPECT_EQ(0, lseek(self->file, 0, SEEK_CUR));
	EXPECT_TRUE(only_marked(self->bm, 0, 0));
	gm_region_put(&good.r);
	gm_region_put(&bad.r);
	EXPECT_EQ(0, good.bad);
}

TEST_HARNESS_MAIN
