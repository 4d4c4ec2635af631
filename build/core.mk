# Copyright (C) ngx_http_cmp_module contributors
#
# The core without nginx: the library that the unit tests, the fuzz drivers
# and cmpctl's helper are linked with.

CORE_CFLAGS = -g -Wall -Wextra -Werror -fno-omit-frame-pointer \
              -Isrc -Isrc/core -Isrc/store -It/core -MMD -MP

CORE_LIBS = -lcrypto

ifeq ($(BUILD), sanitize)
CORE_CFLAGS += -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
else ifeq ($(BUILD), debug)
CORE_CFLAGS += -O0
else
CORE_CFLAGS += -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -Wno-error
endif

CORE_OBJS = $(patsubst src/core/%.c,$(OUT)/core/%.o,$(wildcard src/core/*.c))

# in t/core, a file with a main() is a program, the others belong to each

UNIT_MAINS = $(shell grep -l '^main\b' t/core/*.c 2>/dev/null)
UNIT_REST = $(filter-out $(UNIT_MAINS),$(wildcard t/core/*.c))
UNIT_PROGS = $(patsubst t/core/%.c,$(OUT)/t/%,$(UNIT_MAINS))
UNIT_OBJS = $(patsubst t/core/%.c,$(OUT)/t/%.o,$(UNIT_REST))

$(OUT)/core/%.o: src/core/%.c build/core.mk
	@mkdir -p $(@D)
	@$(CC) $(CORE_CFLAGS) -c -o $@ $<

$(OUT)/t/%.o: t/core/%.c build/core.mk
	@mkdir -p $(@D)
	@$(CC) $(CORE_CFLAGS) -c -o $@ $<

$(OUT)/core/libcmp.a: $(CORE_OBJS)
	@mkdir -p $(@D)
	@rm -f $@
	@ar rcs $@ $^

$(OUT)/t/libunit.a: $(UNIT_OBJS)
	@mkdir -p $(@D)
	@rm -f $@
	@ar rcs $@ $^

$(UNIT_PROGS): $(OUT)/t/%: $(OUT)/t/%.o $(OUT)/t/libunit.a \
                          $(OUT)/core/libcmp.a
	@$(CC) $(CORE_CFLAGS) -o $@ $^ -lcmocka $(CORE_LIBS)

$(OUT)/cmpctl-seal: sql/cmpctl_seal.c $(OUT)/core/libcmp.a build/core.mk
	@$(CC) $(CORE_CFLAGS) -o $@ $< $(OUT)/core/libcmp.a $(CORE_LIBS)

unit-build: $(UNIT_PROGS)

unit: unit-build ## the unit tests of the core (BUILD=...)
	@UNIT_RUN="$(UNIT_RUN)" build/unit.sh $(UNIT_PROGS)

.PHONY: unit-build
.SECONDARY:

-include $(wildcard $(OUT)/core/*.d $(OUT)/t/*.d $(OUT)/*.d)
