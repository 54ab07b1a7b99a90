# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# Checks of the source text: what they find is printed, and fails.

LINUX := $(O)/linux
LINT_HEADERS := $(sort $(wildcard $(addprefix $(srctree)/ulib/include/,*.h guestmem/*.h)))
LINT_KERNEL_DOC := $(LINT_HEADERS) $(sort $(wildcard $(srctree)/kmod/*.[ch] \
	$(srctree)/include/uapi/linux/*.h))
define lint
$(call msg,LINT,$(1))
$(Q)GM_SRC=$(srctree) GM_BUILD=$(O) lint/$(1).sh $(2)
endef

.PHONY: lint lint-checkpatch lint-coccicheck lint-module lint-spdx kernel-doc
lint: lint-checkpatch lint-coccicheck lint-module lint-spdx kernel-doc

lint-checkpatch: linux
	$(call lint,checkpatch,$(LINUX) $(O)/lint/checkpatch)

lint-coccicheck: linux
	$(call lint,coccicheck,$(LINUX) $(srctree)/kmod)

lint-module: linux
	$(Q)GM_BUILD=$(O) integration/fetch-kernel.sh 6.1
	$(call lint,module,6.1 $(O)/lint/module)

lint-spdx:
	$(call lint,spdx)

kernel-doc: linux
	$(call msg,LINT,kernel-doc)
	$(Q)$(LINUX)/scripts/kernel-doc -none -Werror $(LINT_KERNEL_DOC)
