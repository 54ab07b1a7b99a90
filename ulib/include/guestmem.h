/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guestmem.h - all of libguestmem. Each header also stands alone.
 */
#ifndef GUESTMEM_H
#define GUESTMEM_H

#include <guestmem/access.h>
#include <guestmem/addr.h>
#include <guestmem/alias.h>
#include <guestmem/batch.h>
#include <guestmem/bitmap.h>
#include <guestmem/compiler.h>
#include <guestmem/copy.h>
#include <guestmem/dirty.h>
#include <guestmem/dma.h>
#include <guestmem/endian.h>
#include <guestmem/epoch.h>
#include <guestmem/error.h>
#include <guestmem/fault.h>
#include <guestmem/file.h>
#include <guestmem/handle.h>
#include <guestmem/hold.h>
#include <guestmem/io.h>
#include <guestmem/iommu.h>
#include <guestmem/iotlb.h>
#include <guestmem/iov.h>
#include <guestmem/kmod.h>
#include <guestmem/kmod_driver.h>
#include <guestmem/kvm.h>
#include <guestmem/map.h>
#include <guestmem/mmap.h>
#include <guestmem/object.h>
#include <guestmem/perm.h>
#include <guestmem/reader.h>
#include <guestmem/ref.h>
#include <guestmem/region.h>
#include <guestmem/slice.h>
#include <guestmem/slice_access.h>
#include <guestmem/snapshot.h>
#include <guestmem/space.h>
#include <guestmem/target.h>
#include <guestmem/vhost_log.h>
#include <guestmem/view.h>
#include <guestmem/xen.h>

#endif /* GUESTMEM_H */
