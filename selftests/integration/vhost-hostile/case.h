/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case.h - what a case is, and what it has at hand.
 *
 * Each case runs in a process of its own, which is killed if it takes too long.
 * It ends by returning, or by fail(). What the device did to the guest's memory
 * and to the image, and whether it lets go of what it was given, is looked at
 * afterwards, by main.c.
 */
#ifndef CASE_H
#define CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guest;

/*
 * How long the device may take to answer anything at all: in processor time of
 * its own, which others that are busy don't take from it; and in all.
 */
#define PATIENCE_CPU_MS 5000
#define PATIENCE_MS 60000

/**
 * struct world - where a case happens
 * @socket: where the device listens
 * @image: what it serves
 * @image_size: its size in bytes
 * @guest: the guest's memory, for the case and for who looks at it afterwards
 * @pid: the device's process
 */
struct world {
	const char *socket;
	const char *image;
	uint64_t image_size;
	struct guest *guest;
	int pid;
};

/**
 * struct hostile_case - one thing that a peer may do
 * @name: its name; that of a case in which all is within the law, though odd,
 *	starts with "legal-"
 * @run: do it
 * @writes: it may change the image
 */
struct hostile_case {
	const char *name;
	void (*run)(struct world *w);
	bool writes;
};

#define CASE(name_, run_, ...) { .name = (name_), .run = (run_), __VA_ARGS__ }
#define CASES_END { .name = NULL }

/* Each with CASES_END at the end. */
extern const struct hostile_case message_cases[];
extern const struct hostile_case fd_cases[];
extern const struct hostile_case memory_cases[];
extern const struct hostile_case gone_cases[];
extern const struct hostile_case slot_cases[];
extern const struct hostile_case vring_cases[];
extern const struct hostile_case config_cases[];
extern const struct hostile_case chain_cases[];
extern const struct hostile_case indirect_cases[];
extern const struct hostile_case request_cases[];
extern const struct hostile_case segment_cases[];
extern const struct hostile_case ring_cases[];
extern const struct hostile_case race_cases[];
extern const struct hostile_case peer_cases[];
extern const struct hostile_case inflight_cases[];
extern const struct hostile_case left_cases[];
extern const struct hostile_case log_cases[];
extern const struct hostile_case log_busy_cases[];
extern const struct hostile_case iommu_cases[];
extern const struct hostile_case iommu_answer_cases[];
extern const struct hostile_case iommu_lost_cases[];
extern const struct hostile_case iommu_left_cases[];

/* The case has failed: say why and end it. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define expect(condition, ...) do { if (!(condition)) fail(__VA_ARGS__); } while (0)

uint64_t now_ms(void);
void sleep_ms(unsigned int ms);

#endif /* CASE_H */
