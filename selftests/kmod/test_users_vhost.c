/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=users */
/*
 * test_users_vhost.c - vhost-net works in a region: its rings, descriptors and
 * buffers are there, and frames go both ways between it and a tap interface.
 * This program is the guest's driver, and the peer on the network as well.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include "kselftest_harness.h"
#include "users.h"

#define LENGTH (4 * MIB)
#define TAP "guestmem0"
#define STATISTICS "/sys/class/net/" TAP "/statistics/"
#define HEADER 12
#define FRAME 1500
#define TYPE 0x88b5		/* for experiments */
#define TIMEOUT_MS 5000
#define ENTRIES 16

/* Where things are in the guest's memory, a slot of 64 KiB for each ring. */
#define RING(i) ((i) * UINT64_C(0x10000))
#define AVAIL 0x1000
#define USED 0x2000
/* Buffers, which begin amid a page; of RX each is 4 KiB after the other. */
#define RX_BUFFER (HUGE - 2 * PAGE + 100)
#define TX_BUFFER (3 * MIB + PAGE - 700)
#define RX 0
#define TX 1

/**
 * struct queue - one ring, as the guest's driver has it
 * @desc: its descriptors
 * @avail: what vhost is given
 * @used: what it gives back
 * @kick: eventfd to vhost
 * @call: eventfd from vhost
 */
struct queue {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	int kick;
	int call;
};

FIXTURE(vhost) {
	struct users u;
	struct queue queue[2];
	int vhost;
	int tap;
	int peer;
};

/*
 * The interface takes the guest's headers, as with every VMM. Were it for vhost
 * to drop them (VHOST_NET_F_VIRTIO_NET_HDR), 6.1's would give the interface
 * whatever is in its fresh page as the header, and frames would get lost.
 */
static int tap_open(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int header = HEADER;

	strcpy(ifr.ifr_name, TAP);
	if (tap < 0 || sock < 0 || ioctl(tap, TUNSETIFF, &ifr) ||
	    ioctl(tap, TUNSETVNETHDRSZ, &header))
		return -errno;
	/* Nobody else is to send anything there; without IPv6 no such file. */
	file_write("/proc/sys/net/ipv6/conf/" TAP "/disable_ipv6", "1");
	if (ioctl(sock, SIOCGIFFLAGS, &ifr))
		return -errno;
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(sock, SIOCSIFFLAGS, &ifr))
		return -errno;
	close(sock);
	return tap;
}

/* Sends and receives frames of our own type on the interface. */
static int peer_open(void)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(TYPE),
		.sll_ifindex = if_nametoindex(TAP),
	};
	int sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(TYPE));

	if (sock < 0 || bind(sock, (void *)&address, sizeof(address)))
		return -errno;
	return sock;
}

static int memory_set(int vhost, void *p, uint64_t length)
{
	union {
		struct vhost_memory memory;
		char room[sizeof(struct vhost_memory) +
			  sizeof(struct vhost_memory_region)];
	} u = {};

	u.memory.nregions = 1;
	u.memory.regions[0].memory_size = length;
	u.memory.regions[0].userspace_addr = to_user(p);
	return do_ioctl(vhost, VHOST_SET_MEM_TABLE, &u);
}

static int queue_start(int vhost, int tap, struct queue *q, unsigned int index,
		       uint8_t *p)
{
	struct vhost_vring_state num = { index, ENTRIES };
	struct vhost_vring_state base = { index, 0 };
	struct vhost_vring_file kick = { index, eventfd(0, EFD_CLOEXEC) };
	struct vhost_vring_file call = { index, eventfd(0, EFD_CLOEXEC) };
	struct vhost_vring_file backend = { index, tap };
	struct vhost_vring_addr addr = { .index = index };

	*q = (struct queue) {
		.desc = (void *)(p + RING(index)),
		.avail = (void *)(p + RING(index) + AVAIL),
		.used = (void *)(p + RING(index) + USED),
		.kick = kick.fd,
		.call = call.fd,
	};
	addr.desc_user_addr = to_user(q->desc);
	addr.avail_user_addr = to_user(q->avail);
	addr.used_user_addr = to_user(q->used);
	if (ioctl(vhost, VHOST_SET_VRING_NUM, &num) ||
	    ioctl(vhost, VHOST_SET_VRING_BASE, &base) ||
	    ioctl(vhost, VHOST_SET_VRING_ADDR, &addr) ||
	    ioctl(vhost, VHOST_SET_VRING_KICK, &kick) ||
	    ioctl(vhost, VHOST_SET_VRING_CALL, &call) ||
	    ioctl(vhost, VHOST_NET_SET_BACKEND, &backend))
		return -errno;
	return 0;
}

FIXTURE_SETUP(vhost)
{
	uint64_t features = 1ULL << VIRTIO_F_VERSION_1;

	users_start(_metadata, &self->u, LENGTH);
	ASSERT_FD(&self->tap, tap_open());
	ASSERT_FD(&self->peer, peer_open());
	ASSERT_FD(&self->vhost, open("/dev/vhost-net", O_RDWR | O_CLOEXEC));
	ASSERT_EQ(0, ioctl(self->vhost, VHOST_SET_OWNER));
	ASSERT_EQ(0, ioctl(self->vhost, VHOST_SET_FEATURES, &features));
	ASSERT_EQ(0, memory_set(self->vhost, self->u.p, LENGTH))
		result("vhost-net", "FAILED: SET_MEM_TABLE");
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, queue_start(self->vhost, self->tap,
					 &self->queue[i], i, self->u.p));
}

FIXTURE_TEARDOWN(vhost)
{
	users_end(_metadata, &self->u);
}

/* Gives vhost one more buffer: a guest address. */
static void queue_add(struct queue *q, uint64_t address, uint32_t length,
		      uint16_t flags)
{
	uint16_t index = q->avail->idx;
	uint64_t one = 1;

	q->desc[index % ENTRIES] = (struct vring_desc) {
		.addr = address, .len = length, .flags = flags,
	};
	q->avail->ring[index % ENTRIES] = index % ENTRIES;
	__atomic_store_n(&q->avail->idx, index + 1, __ATOMIC_RELEASE);
	if (write(q->kick, &one, sizeof(one)) != sizeof(one))
		abort();
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, TIMEOUT_MS) == 1;
}

/* Waits for the buffer that vhost gives back as number @n. */
static int queue_wait(struct queue *q, uint16_t n)
{
	uint64_t count;

	while ((int16_t)(__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) -
			 n) <= 0)
		if (!readable(q->call) ||
		    read(q->call, &count, sizeof(count)) != sizeof(count))
			return -ETIMEDOUT;
	return 0;
}

static void frame_fill(uint8_t *frame, uint32_t seed)
{
	pattern_fill(frame, FRAME, seed);
	memset(frame, 0xff, ETH_ALEN);		/* to everybody */
	memset(frame + ETH_ALEN, 0x02, ETH_ALEN);
	frame[12] = TYPE >> 8;
	frame[13] = TYPE & 0xff;
}

/* What the interface counted: says where a frame was lost. */
static void statistics_show(void)
{
	char name[PATH_MAX], text[32];
	struct dirent *e;
	DIR *d = opendir(STATISTICS);

	while (d && (e = readdir(d))) {
		snprintf(name, sizeof(name), STATISTICS "%s", e->d_name);
		if (!file_read(name, text, sizeof(text)) && strtoul(text, NULL, 0))
			printf("# %s: %s\n", e->d_name, text);
	}
}

/* The guest sends: the peer receives what was in the region. */
TEST_F(vhost, transmit)
{
	struct queue *q = &self->queue[TX];
	uint8_t *buffer = self->u.p + TX_BUFFER;
	uint8_t sent[FRAME], got[FRAME + 1];

	for (int i = 0; i < 4; i++) {
		memset(buffer, 0, HEADER);
		frame_fill(sent, i);
		memcpy(buffer + HEADER, sent, FRAME);
		queue_add(q, TX_BUFFER, HEADER + FRAME, 0);
		ASSERT_EQ(0, queue_wait(q, i))
			result("vhost-net-transmit", "FAILED");
		ASSERT_TRUE(readable(self->peer))
			statistics_show();
		ASSERT_EQ(FRAME, read(self->peer, got, sizeof(got)));
		EXPECT_EQ(0, memcmp(sent, got, FRAME));
	}
	result("vhost-net-transmit", "works");
}

/* The peer sends: it arrives in the region, and nothing beside it changes. */
TEST_F(vhost, receive)
{
	struct queue *q = &self->queue[RX];
	uint8_t sent[FRAME];

	memset(self->u.p + MIB, 0xa5, 2 * MIB);
	for (int i = 0; i < 4; i++)
		queue_add(q, RX_BUFFER + i * PAGE, HEADER + FRAME,
			  VRING_DESC_F_WRITE);
	for (int i = 0; i < 4; i++) {
		uint8_t *buffer = self->u.p + RX_BUFFER + i * PAGE;

		frame_fill(sent, 100 + i);
		ASSERT_EQ(FRAME, write(self->peer, sent, FRAME));
		ASSERT_EQ(0, queue_wait(q, i))
			result("vhost-net-receive", "FAILED");
		EXPECT_EQ(i, q->used->ring[i].id);
		EXPECT_EQ(HEADER + FRAME, q->used->ring[i].len);
		EXPECT_EQ(0, memcmp(sent, buffer + HEADER, FRAME));
		EXPECT_EQ(0xa5, buffer[-1]);
		EXPECT_EQ(0xa5, buffer[HEADER + FRAME]);
	}
	result("vhost-net-receive", "works");
}

TEST_HARNESS_MAIN
