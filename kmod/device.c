/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The file of a bound device, and of its ioctls MAP, QUERY, SYNC, UNMAP.
 */
#include <linux/fs.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "guestmem_private.h"
#include "ioctl.h"

/* Segments that are copied to user space before somebody else may run. */
#define GUESTMEM_QUERY_BATCH	4096U

static int guestmem_device_open(struct inode *inode, struct file *file)
{
	struct guestmem_device *gdev =
		container_of(file->private_data, struct guestmem_device, misc);
	int err = -EBUSY;

	/*
	 * All who open a misc device wait for this. Who has it locked has it
	 * open, or is at its end.
	 */
	if (!mutex_trylock(&gdev->lock))
		return -EBUSY;
	if (!gdev->open)
		err = guestmem_device_start(gdev);
	if (!err) {
		gdev->open = true;
		guestmem_registers_open(gdev, file);
		kref_get(&gdev->ref);
		file->private_data = gdev;
	}
	mutex_unlock(&gdev->lock);
	return err;
}

static void guestmem_device_close(struct guestmem_device *gdev)
{
	/* A reset wants it, and comes before gdev->lock when unbinding. */
	device_lock(&gdev->pdev->dev);
	mutex_lock(&gdev->lock);
	if (!gdev->gone)
		guestmem_device_stop(gdev);
	gdev->open = false;
	mutex_unlock(&gdev->lock);
	device_unlock(&gdev->pdev->dev);
}

static int guestmem_device_release(struct inode *inode, struct file *file)
{
	struct guestmem_device *gdev = file->private_data;
	bool gone;

	/* The device's next driver may have it locked for long. */
	mutex_lock(&gdev->lock);
	gone = gdev->gone;
	mutex_unlock(&gdev->lock);
	if (!gone)
		guestmem_device_close(gdev);
	guestmem_device_put(gdev);
	return 0;
}

/*
 * The map of that id, as far as user space knows of it; gdev->lock is held.
 */
static struct guestmem_mapping *
guestmem_mapping_find(struct guestmem_device *gdev, u32 id)
{
	struct guestmem_mapping *mapping;

	if (gdev->gone)
		return ERR_PTR(-ENODEV);
	mapping = xa_load(&gdev->maps, id);
	return mapping && mapping->live ? mapping : ERR_PTR(-ENOENT);
}

static int guestmem_map_check(const struct guestmem_map *cmd)
{
	if (cmd->flags & ~(GUESTMEM_MAP_READ | GUESTMEM_MAP_WRITE) ||
	    cmd->reserved)
		return -EOPNOTSUPP;
	if (!cmd->flags)
		return -EINVAL;
	if (cmd->address_bits && (cmd->address_bits < 12 ||
				  cmd->address_bits > 64))
		return -EINVAL;
	return guestmem_range_check_pages(cmd->offset, cmd->length, PAGE_SIZE);
}

static int guestmem_map_locked(struct guestmem_device *gdev,
			       struct dma_buf *dmabuf,
			       const struct guestmem_map *cmd,
			       struct guestmem_mapping **mapping)
{
	int err;

	if (gdev->gone)
		return -ENODEV;
	err = guestmem_range_check(cmd->offset, cmd->length, 0, dmabuf->size);
	if (err)
		return err;
	if ((cmd->flags & GUESTMEM_MAP_WRITE) &&
	    !guestmem_region_writable(dmabuf))
		return -EACCES;
	err = guestmem_mapping_new(gdev, dmabuf, cmd, mapping);
	if (err)
		return err;
	pci_set_master(gdev->pdev);
	kref_get(&(*mapping)->ref);
	return 0;
}

/*
 * User space has been told the id, or could not be. The device may have been
 * unbound meanwhile, and the map removed.
 */
static void guestmem_map_settle(struct guestmem_device *gdev,
				struct guestmem_mapping *mapping, bool told)
{
	mutex_lock(&gdev->lock);
	if (told)
		mapping->live = true;
	else if (xa_load(&gdev->maps, mapping->id) == mapping)
		guestmem_mapping_remove(gdev, mapping);
	mutex_unlock(&gdev->lock);
	guestmem_mapping_put(mapping);
}

static int guestmem_ioctl_map(struct guestmem_ucmd *ucmd)
{
	struct guestmem_device *gdev = ucmd->file->private_data;
	struct guestmem_map *cmd = ucmd->cmd;
	struct guestmem_mapping *mapping;
	struct dma_buf *dmabuf;
	int err;

	err = guestmem_map_check(cmd);
	if (err)
		return err;
	dmabuf = guestmem_region_get(cmd->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	mutex_lock(&gdev->lock);
	err = guestmem_map_locked(gdev, dmabuf, cmd, &mapping);
	mutex_unlock(&gdev->lock);
	if (!err) {
		cmd->map_id = mapping->id;
		cmd->properties = mapping->properties;
		cmd->segments = mapping->segs.count;
		err = guestmem_respond(ucmd);
		guestmem_map_settle(gdev, mapping, !err);
	}
	dma_buf_put(dmabuf);
	return err;
}

/* Segments from the i-th on; the first one starts at @offset. */
static int guestmem_query_copy(const struct guestmem_segs *segs, u32 i,
			       u64 offset, struct guestmem_segment __user *to,
			       u32 count)
{
	struct guestmem_segment first;
	u32 batch;

	if (!count)
		return 0;
	first = guestmem_segs_tail(segs, i, offset);
	if (copy_to_user(to, &first, sizeof(first)))
		return -EFAULT;
	for (i++, to++, count--; count; i += batch, to += batch, count -= batch) {
		batch = min(count, GUESTMEM_QUERY_BATCH);
		if (copy_to_user(to, &segs->seg[i],
				 (size_t)batch * sizeof(*to)))
			return -EFAULT;
		cond_resched();
	}
	return 0;
}

static int guestmem_query_answer(struct guestmem_ucmd *ucmd,
				 const struct guestmem_segs *segs)
{
	struct guestmem_query *cmd = ucmd->cmd;
	u32 i, there, room = cmd->count;
	int err;

	err = guestmem_range_check(cmd->offset, 1, segs->start, segs->end);
	if (err)
		return err;
	i = guestmem_segs_find(segs, cmd->offset);
	there = segs->count - i;
	err = guestmem_query_copy(segs, i, cmd->offset,
				  u64_to_user_ptr(cmd->segments),
				  min(room, there));
	if (err)
		return err;
	cmd->count = there;
	err = guestmem_respond(ucmd);
	return err || room >= there ? err : -EMSGSIZE;
}

static int guestmem_ioctl_query(struct guestmem_ucmd *ucmd)
{
	struct guestmem_device *gdev = ucmd->file->private_data;
	struct guestmem_query *cmd = ucmd->cmd;
	struct guestmem_mapping *mapping;
	int err;

	if (cmd->flags)
		return -EOPNOTSUPP;
	mutex_lock(&gdev->lock);
	mapping = guestmem_mapping_find(gdev, cmd->map_id);
	if (!IS_ERR(mapping))
		kref_get(&mapping->ref);
	mutex_unlock(&gdev->lock);
	if (IS_ERR(mapping))
		return PTR_ERR(mapping);
	err = guestmem_query_answer(ucmd, &mapping->segs);
	guestmem_mapping_put(mapping);
	return err;
}

static int guestmem_ioctl_sync(struct guestmem_ucmd *ucmd)
{
	struct guestmem_device *gdev = ucmd->file->private_data;
	const struct guestmem_sync *cmd = ucmd->cmd;
	struct guestmem_mapping *mapping;
	int err;

	if (cmd->flags & ~(GUESTMEM_SYNC_CPU | GUESTMEM_SYNC_DEVICE) ||
	    cmd->reserved)
		return -EOPNOTSUPP;
	if (hweight32(cmd->flags) != 1)
		return -EINVAL;
	mutex_lock(&gdev->lock);
	mapping = guestmem_mapping_find(gdev, cmd->map_id);
	err = PTR_ERR_OR_ZERO(mapping);
	if (!err)
		err = guestmem_range_check(cmd->offset, cmd->length,
					   mapping->segs.start,
					   mapping->segs.end);
	if (!err)
		err = guestmem_mapping_sync(mapping, cmd->offset, cmd->length,
					    cmd->flags & GUESTMEM_SYNC_CPU);
	mutex_unlock(&gdev->lock);
	return err;
}

static int guestmem_ioctl_unmap(struct guestmem_ucmd *ucmd)
{
	struct guestmem_device *gdev = ucmd->file->private_data;
	const struct guestmem_unmap *cmd = ucmd->cmd;
	struct guestmem_mapping *mapping;
	int err;

	if (cmd->flags || cmd->reserved)
		return -EOPNOTSUPP;
	mutex_lock(&gdev->lock);
	mapping = guestmem_mapping_find(gdev, cmd->map_id);
	err = PTR_ERR_OR_ZERO(mapping);
	if (!err)
		guestmem_mapping_remove(gdev, mapping);
	mutex_unlock(&gdev->lock);
	return err;
}

static const struct guestmem_ioctl_op guestmem_device_ops[] = {
	GUESTMEM_IOCTL_OP(GUESTMEM_MAP, guestmem_ioctl_map,
			  struct guestmem_map, reserved),
	GUESTMEM_IOCTL_OP(GUESTMEM_QUERY, guestmem_ioctl_query,
			  struct guestmem_query, segments),
	GUESTMEM_IOCTL_OP(GUESTMEM_SYNC, guestmem_ioctl_sync,
			  struct guestmem_sync, length),
	GUESTMEM_IOCTL_OP(GUESTMEM_UNMAP, guestmem_ioctl_unmap,
			  struct guestmem_unmap, reserved),
	GUESTMEM_IOCTL_OP(GUESTMEM_DEVICE_INFO, guestmem_ioctl_device_info,
			  struct guestmem_device_info, interrupts),
	GUESTMEM_IOCTL_OP(GUESTMEM_BAR, guestmem_ioctl_bar,
			  struct guestmem_bar, offset),
	GUESTMEM_IOCTL_OP(GUESTMEM_INTERRUPTS, guestmem_ioctl_interrupts,
			  struct guestmem_interrupts, fds),
};

static long guestmem_device_ioctl(struct file *file, unsigned int cmd,
				  unsigned long arg)
{
	return guestmem_ioctl(guestmem_device_ops,
			      ARRAY_SIZE(guestmem_device_ops), file, cmd, arg);
}

static void guestmem_device_show(struct seq_file *m, struct file *file)
{
	struct guestmem_device *gdev = file->private_data;

	mutex_lock(&gdev->lock);
	seq_printf(m, "guestmem-device:\t%s\n", pci_name(gdev->pdev));
	seq_printf(m, "guestmem-gone:\t%d\n", gdev->gone);
	seq_printf(m, "guestmem-maps:\t%u\n", gdev->nmaps);
	seq_printf(m, "guestmem-bytes:\t%llu\n", gdev->bytes);
	seq_printf(m, "guestmem-segments:\t%llu\n", gdev->nsegments);
	seq_printf(m, "guestmem-interrupts:\t%u\n", gdev->ntriggers);
	mutex_unlock(&gdev->lock);
}

const struct file_operations guestmem_device_fops = {
	.owner = THIS_MODULE,
	.open = guestmem_device_open,
	.release = guestmem_device_release,
	.unlocked_ioctl = guestmem_device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = guestmem_registers_mmap,
	.show_fdinfo = guestmem_device_show,
	.llseek = noop_llseek,
};
