/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control device: INFO, ALLOC, PIN, REGION_INFO, REVOKE.
 */
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/nodemask.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "guestmem_private.h"
#include "ioctl.h"

static void guestmem_control_free(struct kref *ref)
{
	kfree(container_of(ref, struct guestmem_control, ref));
}

/**
 * guestmem_control_put() - give up a reference to an open file
 * @control: what the file has
 */
void guestmem_control_put(struct guestmem_control *control)
{
	kref_put(&control->ref, guestmem_control_free);
}

static int guestmem_control_open(struct inode *inode, struct file *file)
{
	struct guestmem_control *control;

	control = kzalloc(sizeof(*control), GFP_KERNEL_ACCOUNT);
	if (!control)
		return -ENOMEM;
	kref_init(&control->ref);
	file->private_data = control;
	return 0;
}

static int guestmem_control_release(struct inode *inode, struct file *file)
{
	guestmem_control_put(file->private_data);
	return 0;
}

static int guestmem_ioctl_info(struct guestmem_ucmd *ucmd)
{
	struct guestmem_info *cmd = ucmd->cmd;

	if (cmd->flags)
		return -EOPNOTSUPP;
	cmd->capabilities = GUESTMEM_CAP_ALLOC | GUESTMEM_CAP_PIN |
			    GUESTMEM_CAP_HUGE | GUESTMEM_CAP_REVOKE |
			    GUESTMEM_CAP_DEVICE | GUESTMEM_CAP_REGISTERS |
			    GUESTMEM_CAP_INTERRUPTS;
	if (READ_ONCE(guestmem_allow_unsafe_noiommu))
		cmd->capabilities |= GUESTMEM_CAP_UNSAFE_NOIOMMU;
	if (READ_ONCE(guestmem_allow_lazy_iommu))
		cmd->capabilities |= GUESTMEM_CAP_LAZY_IOMMU;
	if (READ_ONCE(guestmem_allow_unsafe_interrupts))
		cmd->capabilities |= GUESTMEM_CAP_UNSAFE_INTERRUPTS;
	cmd->page_sizes = guestmem_page_sizes();
	cmd->max_length = guestmem_region_max();
	guestmem_charge_query(&cmd->locked, &cmd->locked_limit);
	return guestmem_respond(ucmd);
}

/*
 * From a region with its memory to a file descriptor. The caller is told the
 * number before it stands for anything, since nothing may fail after.
 */
static int guestmem_give_fd(struct guestmem_ucmd *ucmd,
			    struct guestmem_region *region, u32 fd_flags,
			    s32 *out_fd)
{
	struct dma_buf *dmabuf;
	int fd, err;

	fd = get_unused_fd_flags(fd_flags & O_CLOEXEC);
	if (fd < 0) {
		err = fd;
		goto err_free;
	}
	err = guestmem_region_publish(region, fd_flags, &dmabuf);
	if (err)
		goto err_put_fd;
	*out_fd = fd;
	err = guestmem_respond(ucmd);
	if (err) {
		dma_buf_put(dmabuf);
		put_unused_fd(fd);
		return err;
	}
	fd_install(fd, dmabuf->file);
	return 0;

err_put_fd:
	put_unused_fd(fd);
err_free:
	guestmem_region_free(region);
	return err;
}

static int guestmem_alloc_check(const struct guestmem_alloc *cmd)
{
	u32 access = cmd->fd_flags & O_ACCMODE;
	bool huge = cmd->flags & GUESTMEM_ALLOC_HUGE;
	int err;

	if (cmd->flags & ~GUESTMEM_ALLOC_HUGE || cmd->reserved)
		return -EOPNOTSUPP;
	err = guestmem_range_check_pages(0, cmd->length,
					 huge ? PMD_SIZE : PAGE_SIZE);
	if (err)
		return err;
	if (cmd->fd_flags & ~(O_ACCMODE | O_CLOEXEC) ||
	    (access != O_RDWR && access != O_RDONLY))
		return -EINVAL;
	if (cmd->length > guestmem_region_max())
		return -EOVERFLOW;
	if (cmd->node != GUESTMEM_NODE_ANY &&
	    (cmd->node < 0 || cmd->node >= MAX_NUMNODES ||
	     !node_state(cmd->node, N_MEMORY)))
		return -ENODEV;
	return 0;
}

static int guestmem_ioctl_alloc(struct guestmem_ucmd *ucmd)
{
	struct guestmem_alloc *cmd = ucmd->cmd;
	struct guestmem_region *region;
	int err;

	err = guestmem_alloc_check(cmd);
	if (err)
		return err;
	region = guestmem_region_new(ucmd->file->private_data,
				     GUESTMEM_REGION_ALLOC, cmd->length);
	if (IS_ERR(region))
		return PTR_ERR(region);
	region->writable = true;
	err = guestmem_pages_alloc(region, cmd->node,
				   cmd->flags & GUESTMEM_ALLOC_HUGE);
	if (err) {
		guestmem_region_free(region);
		return err;
	}
	return guestmem_give_fd(ucmd, region, cmd->fd_flags, &cmd->out_fd);
}

static int guestmem_pin_check(const struct guestmem_pin *cmd)
{
	int err;

	if (cmd->flags & ~GUESTMEM_PIN_WRITE)
		return -EOPNOTSUPP;
	err = guestmem_range_check_pages(cmd->address, cmd->length, PAGE_SIZE);
	if (err)
		return err;
	if (cmd->fd_flags & ~O_CLOEXEC)
		return -EINVAL;
	if (cmd->length > guestmem_region_max())
		return -EOVERFLOW;
	if (cmd->address != (unsigned long)cmd->address)
		return -EFAULT;
	return 0;
}

static int guestmem_ioctl_pin(struct guestmem_ucmd *ucmd)
{
	struct guestmem_pin *cmd = ucmd->cmd;
	struct guestmem_region *region;
	int err;

	err = guestmem_pin_check(cmd);
	if (err)
		return err;
	region = guestmem_region_new(ucmd->file->private_data,
				     GUESTMEM_REGION_PIN, cmd->length);
	if (IS_ERR(region))
		return PTR_ERR(region);
	region->writable = cmd->flags & GUESTMEM_PIN_WRITE;
	err = guestmem_pages_pin(region, cmd->address);
	if (err) {
		guestmem_region_free(region);
		return err;
	}
	return guestmem_give_fd(ucmd, region, cmd->fd_flags | O_RDWR,
				&cmd->out_fd);
}

static int guestmem_ioctl_region_info(struct guestmem_ucmd *ucmd)
{
	struct guestmem_region_info *cmd = ucmd->cmd;
	struct dma_buf *dmabuf;
	int err;

	if (cmd->flags || cmd->reserved)
		return -EOPNOTSUPP;
	dmabuf = guestmem_region_get(cmd->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	err = guestmem_region_describe(dmabuf, cmd);
	dma_buf_put(dmabuf);
	return err ?: guestmem_respond(ucmd);
}

static int guestmem_ioctl_revoke(struct guestmem_ucmd *ucmd)
{
	const struct guestmem_revoke *cmd = ucmd->cmd;
	struct dma_buf *dmabuf;
	int err;

	if (cmd->flags || cmd->reserved)
		return -EOPNOTSUPP;
	dmabuf = guestmem_region_get(cmd->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	err = guestmem_region_revoke(dmabuf, ucmd->file->private_data);
	dma_buf_put(dmabuf);
	return err;
}

static const struct guestmem_ioctl_op guestmem_control_ops[] = {
	GUESTMEM_IOCTL_OP(GUESTMEM_INFO, guestmem_ioctl_info,
			  struct guestmem_info, locked_limit),
	GUESTMEM_IOCTL_OP(GUESTMEM_ALLOC, guestmem_ioctl_alloc,
			  struct guestmem_alloc, reserved),
	GUESTMEM_IOCTL_OP(GUESTMEM_PIN, guestmem_ioctl_pin,
			  struct guestmem_pin, out_fd),
	GUESTMEM_IOCTL_OP(GUESTMEM_REGION_INFO, guestmem_ioctl_region_info,
			  struct guestmem_region_info, reserved),
	GUESTMEM_IOCTL_OP(GUESTMEM_REVOKE, guestmem_ioctl_revoke,
			  struct guestmem_revoke, reserved),
};

static long guestmem_control_ioctl(struct file *file, unsigned int cmd,
				   unsigned long arg)
{
	return guestmem_ioctl(guestmem_control_ops,
			      ARRAY_SIZE(guestmem_control_ops), file, cmd, arg);
}

static void guestmem_control_show(struct seq_file *m, struct file *file)
{
	struct guestmem_control *control = file->private_data;

	seq_printf(m, "guestmem-regions:\t%ld\n",
		   atomic_long_read(&control->regions));
	seq_printf(m, "guestmem-bytes:\t%lld\n",
		   (long long)atomic64_read(&control->bytes));
}

static const struct file_operations guestmem_control_fops = {
	.owner = THIS_MODULE,
	.open = guestmem_control_open,
	.release = guestmem_control_release,
	.unlocked_ioctl = guestmem_control_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = guestmem_control_show,
	.llseek = noop_llseek,
};

struct miscdevice guestmem_control_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "guestmem",
	.fops = &guestmem_control_fops,
	.mode = 0600,
};
