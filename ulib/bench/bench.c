/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bench.c - timing, comparison, output.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define ROUND_NS 20000.0
#define CASE_NS 40e6
#define MIN_ROUNDS 15
#define MAX_ROUNDS 401

static struct {
	int cpu;		/* of the thread that measures; -1: any */
	cpu_set_t others;	/* where it is not */
	const char *title;
	FILE *json;
	bool progress;
	int cases, targets, missed;
} bench;

/* What the rounds of one case gave, in ns an operation. */
struct samples {
	int rounds;
	double run[MAX_ROUNDS];
	double base[MAX_ROUNDS];
	double ratio[MAX_ROUNDS];
};

void bench_fail(const char *what)
{
	fprintf(stderr, "bench: %s failed\n", what);
	exit(1);
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double time_once(const struct bench_case *c, bench_fn *fn, uint64_t n)
{
	double start;

	if (c->prepare)
		c->prepare(c->ctx, n);
	start = now_ns();
	fn(c->ctx, n);
	return now_ns() - start;
}

static int cmp_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts @v; the least is v[0] afterwards. */
static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), cmp_double);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* Warms up, and finds how many operations make a round. */
static uint64_t calibrate(const struct bench_case *c)
{
	bench_fn *fn = c->base ? c->base : c->run;
	uint64_t n = c->ops ? c->ops : 16;
	int tries;

	if (c->ops) {
		time_once(c, fn, n);
		return n;
	}
	for (tries = 0; tries < 40; tries++) {
		double t = time_once(c, fn, n);

		if (t >= ROUND_NS)
			break;
		n *= 2;
	}
	return n;
}

/*
 * The two take turns, each going first as often as the other, so that whatever
 * disturbs the machine hits both.
 */
static void sample(const struct bench_case *c, struct samples *s)
{
	uint64_t n = calibrate(c);
	double once = time_once(c, c->run, n), per = 1.0 / (double)n;
	double rounds;
	int i;

	if (c->base)
		once += time_once(c, c->base, n);
	rounds = CASE_NS / (once + 1);
	s->rounds = rounds < MIN_ROUNDS ? MIN_ROUNDS :
		    rounds > MAX_ROUNDS ? MAX_ROUNDS : (int)rounds;

	for (i = 0; i < s->rounds; i++) {
		if (c->base && i % 2)
			s->base[i] = time_once(c, c->base, n) * per;
		s->run[i] = time_once(c, c->run, n) * per;
		if (c->base && i % 2 == 0)
			s->base[i] = time_once(c, c->base, n) * per;
		if (c->base)
			s->ratio[i] = s->run[i] / s->base[i];
	}
}

static void print_ns(double ns)
{
	if (ns < 1e4)
		printf(" %9.2f", ns);
	else
		printf(" %8.1fk", ns / 1e3);
}

/* A target is met as far as it is printed: 2.004 is 2.00. */
static void print_target(const struct bench_case *c, double ns, double more,
			 double ratio)
{
	bool met = true;

	if (c->max_ratio > 0) {
		met = ratio < c->max_ratio + 0.005;
		printf(" %7.2fx", c->max_ratio);
	} else if (c->max_ns > 0) {
		met = ns <= c->max_ns;
		printf(" %6.0fns", c->max_ns);
	} else if (c->max_more_ns > 0) {
		met = more < c->max_more_ns + 0.005;
		printf(" %5.0f+ns", c->max_more_ns);
	} else {
		printf(" %8s\n", "-");
		return;
	}
	printf("  %s\n", met ? "met" : "MISSED");
	bench.targets++;
	bench.missed += !met;
}

static void report(const struct bench_case *c, const char *name,
		   struct samples *s)
{
	double ns = median(s->run, s->rounds), base = 0, ratio = 0;

	if (c->base) {
		base = median(s->base, s->rounds);
		ratio = median(s->ratio, s->rounds);
	}
	printf("%-38s", name);
	print_ns(ns);
	print_ns(s->run[0]);
	printf("  %-14s", c->base ? c->base_name : "-");
	print_ns(base);
	printf(" %6.2f", ratio);
	print_target(c, ns, ns - base, ratio);
	fflush(stdout);

	if (bench.json)
		fprintf(bench.json,
			"{\"name\":\"%s/%s\",\"ns\":%.4f,\"min_ns\":%.4f,\"base\":\"%s\",\"base_ns\":%.4f,\"ratio\":%.4f}\n",
			bench.title, name, ns, s->run[0],
			c->base ? c->base_name : "", base, ratio);
}

void bench_run(const struct bench_case *c, const char *fmt, ...)
{
	static struct samples s;
	char name[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	bench.cases++;
	if (bench.progress)
		fprintf(stderr, "\r%s: %-50s\r", bench.title, name);
	sample(c, &s);
	report(c, name, &s);
}

/* Where we are is as good as elsewhere; moving is not. */
static void pin(void)
{
	cpu_set_t set;

	bench.cpu = sched_getcpu();
	if (bench.cpu < 0)
		return;
	sched_getaffinity(0, sizeof(bench.others), &bench.others);
	CPU_CLR(bench.cpu, &bench.others);
	CPU_ZERO(&set);
	CPU_SET(bench.cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

void bench_go_elsewhere(void)
{
	if (bench.cpu >= 0 && CPU_COUNT(&bench.others))
		sched_setaffinity(0, sizeof(bench.others), &bench.others);
}

void bench_start(int argc, char **argv, const char *title)
{
	static const struct option options[] = {
		{ "json", required_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 'j') {
			fprintf(stderr, "usage: %s [--json file]\n", argv[0]);
			exit(2);
		}
		bench.json = fopen(optarg, "a");
		bench_must(bench.json, "opening the JSON file");
	}
	bench.title = title;
	/* Where the table itself goes to the terminal, it shows progress. */
	bench.progress = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
	pin();
	printf("\n%-38s %9s %9s  %-14s %9s %6s %8s\n", title, "ns", "least",
	       "compared with", "ns", "ratio", "at most");
	fflush(stdout);
}

int bench_finish(void)
{
	if (bench.progress)
		fprintf(stderr, "\r%70s\r", "");
	printf("%s: %d cases, %d of %d targets met\n", bench.title, bench.cases,
	       bench.targets - bench.missed, bench.targets);
	if (bench.json)
		bench_must(!fclose(bench.json), "writing the JSON file");
	return 0;
}
