/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * property_ops.h - operations of the property test: each is done by the library
 * and by the model, and the results are compared.
 */
#ifndef SELFTESTS_UNIT_PROPERTY_OPS_H
#define SELFTESTS_UNIT_PROPERTY_OPS_H

#include "property_model.h"

#define OP_BUF 1024

/* One operation: what it is about, and room for it. */
struct op {
	struct world *w;
	uint64_t gpa;
	uint64_t n;
	uint8_t buf[OP_BUF];
	uint8_t want[OP_BUF];
	struct walk walk;
};

struct op_kind {
	const char *name;
	/* False: something differs; op->w->wrong says what. */
	bool (*run)(struct op *op, bool variant);
	bool variant;
};

extern const struct op_kind access_ops[];
extern const size_t access_op_count;

/* Changes of the map, and lists of ranges. */
bool op_plug(struct op *op, bool unused);
bool op_unplug(struct op *op, bool unused);
bool op_iov_extract(struct op *op, bool write);
bool op_iov_copy(struct op *op, bool write);

/* Random bytes. */
void op_fill(struct op *op, uint8_t *buf, size_t n);

#endif /* SELFTESTS_UNIT_PROPERTY_OPS_H */
