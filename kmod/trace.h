/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM guestmem

#if !defined(GUESTMEM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define GUESTMEM_TRACE_H

#include <linux/mm.h>
#include <linux/tracepoint.h>

#include "compat.h"
#include "guestmem_private.h"

DECLARE_EVENT_CLASS(guestmem_region,
	TP_PROTO(const struct guestmem_region *region),
	TP_ARGS(region),
	TP_STRUCT__entry(
		__field(const void *, region)
		__field(u32, kind)
		__field(u64, length)
		__field(u64, granule)
		__field(int, node)
		__field(bool, writable)
	),
	TP_fast_assign(
		__entry->region = region;
		__entry->kind = region->kind;
		__entry->length = (u64)region->npages << PAGE_SHIFT;
		__entry->granule = region->granule;
		__entry->node = region->nid;
		__entry->writable = region->writable;
	),
	TP_printk("region=%p kind=%s length=%#llx granule=%#llx node=%d %s",
		  __entry->region,
		  __print_symbolic(__entry->kind,
				   { GUESTMEM_REGION_ALLOC, "alloc" },
				   { GUESTMEM_REGION_PIN, "pin" }),
		  __entry->length, __entry->granule, __entry->node,
		  __entry->writable ? "rw" : "ro")
);

DEFINE_EVENT(guestmem_region, guestmem_region_new,
	TP_PROTO(const struct guestmem_region *region), TP_ARGS(region));
DEFINE_EVENT(guestmem_region, guestmem_region_revoke,
	TP_PROTO(const struct guestmem_region *region), TP_ARGS(region));
DEFINE_EVENT(guestmem_region, guestmem_region_free,
	TP_PROTO(const struct guestmem_region *region), TP_ARGS(region));

TRACE_EVENT(guestmem_fault,
	TP_PROTO(const struct guestmem_region *region, unsigned long page,
		 unsigned int ret),
	TP_ARGS(region, page, ret),
	TP_STRUCT__entry(
		__field(const void *, region)
		__field(unsigned long, page)
		__field(unsigned int, ret)
	),
	TP_fast_assign(
		__entry->region = region;
		__entry->page = page;
		__entry->ret = ret;
	),
	TP_printk("region=%p page=%lu result=%#x", __entry->region,
		  __entry->page, __entry->ret)
);

DECLARE_EVENT_CLASS(guestmem_mapping,
	TP_PROTO(struct pci_dev *pdev, const struct guestmem_mapping *mapping),
	TP_ARGS(pdev, mapping),
	TP_STRUCT__entry(
		__string(device, pci_name(pdev))
		__field(const void *, region)
		__field(u32, id)
		__field(u64, offset)
		__field(u64, length)
		__field(u32, segments)
		__field(u32, properties)
	),
	TP_fast_assign(
		guestmem_assign_str(device, pci_name(pdev));
		__entry->region = mapping->dmabuf->priv;
		__entry->id = mapping->id;
		__entry->offset = mapping->offset;
		__entry->length = mapping->length;
		__entry->segments = mapping->segs.count;
		__entry->properties = mapping->properties;
	),
	TP_printk("device=%s region=%p id=%u offset=%#llx length=%#llx segments=%u properties=%s",
		  __get_str(device), __entry->region, __entry->id,
		  __entry->offset, __entry->length, __entry->segments,
		  __print_flags(__entry->properties, "|",
				{ GUESTMEM_MAP_TRANSLATED, "translated" },
				{ GUESTMEM_MAP_STRICT, "strict" },
				{ GUESTMEM_MAP_COHERENT, "coherent" }))
);

DEFINE_EVENT(guestmem_mapping, guestmem_map,
	TP_PROTO(struct pci_dev *pdev, const struct guestmem_mapping *mapping),
	TP_ARGS(pdev, mapping));
DEFINE_EVENT(guestmem_mapping, guestmem_unmap,
	TP_PROTO(struct pci_dev *pdev, const struct guestmem_mapping *mapping),
	TP_ARGS(pdev, mapping));

TRACE_EVENT(guestmem_refuse,
	TP_PROTO(struct pci_dev *pdev, const char *why),
	TP_ARGS(pdev, why),
	TP_STRUCT__entry(
		__string(device, pci_name(pdev))
		__string(why, why)
	),
	TP_fast_assign(
		guestmem_assign_str(device, pci_name(pdev));
		guestmem_assign_str(why, why);
	),
	TP_printk("device=%s: %s", __get_str(device), __get_str(why))
);

DECLARE_EVENT_CLASS(guestmem_device,
	TP_PROTO(struct pci_dev *pdev),
	TP_ARGS(pdev),
	TP_STRUCT__entry(
		__string(device, pci_name(pdev))
	),
	TP_fast_assign(
		guestmem_assign_str(device, pci_name(pdev));
	),
	TP_printk("device=%s", __get_str(device))
);

DEFINE_EVENT(guestmem_device, guestmem_bind,
	TP_PROTO(struct pci_dev *pdev), TP_ARGS(pdev));
DEFINE_EVENT(guestmem_device, guestmem_unbind,
	TP_PROTO(struct pci_dev *pdev), TP_ARGS(pdev));

#endif /* GUESTMEM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
