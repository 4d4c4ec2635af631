# Copyright (C) ngx_http_cmp_module contributors
#
# The core without nginx: the library that the unit tests, cmpctl's helper
# and the load client are linked with.

CORE_CFLAGS = -g -Wall -Wextra -Werror -fno-omit-frame-pointer \
              -Isrc -Isrc/core -Isrc/store -It/core -It/bench -MMD -MP

CORE_LIBS = -lcrypto

ifeq ($(BUILD), sanitize)
CORE_CFLAGS += -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
else ifeq ($(BUILD), debug)
CORE_CFLAGS += -O0
else
CORE_CFLAGS += -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -Wno-error
endif

CORE_OBJS = $(patsubst src/core/%.c,$(OUT)/core/%.o,$(wildcard src/core/*.c))

# a file with a main() is a program, the others of its folder belong to each

mains = $(shell grep -l '^main\b' $(1)/*.c 2>/dev/null)
rest = $(patsubst t/%.c,$(OUT)/t/%.o,\
         $(filter-out $(call mains,$(1)),$(wildcard $(1)/*.c)))
programs = $(patsubst t/%.c,$(OUT)/t/%,$(call mains,$(1)))

UNIT_PROGS = $(call programs,t/core)
BENCH_PROGS = $(call programs,t/bench)

COMPILE = @mkdir -p $(@D); $(CC) $(CORE_CFLAGS) -c -o $@ $<
ARCHIVE = @mkdir -p $(@D); rm -f $@; ar rcs $@ $^

$(OUT)/core/%.o: src/core/%.c build/core.mk
	$(COMPILE)

$(OUT)/t/%.o: t/%.c build/core.mk
	$(COMPILE)

$(OUT)/core/libcmp.a: $(CORE_OBJS)
	$(ARCHIVE)

$(OUT)/t/core.a: $(call rest,t/core)
	$(ARCHIVE)

$(OUT)/t/bench.a: $(call rest,t/bench)
	$(ARCHIVE)

$(UNIT_PROGS): $(OUT)/t/core/%: $(OUT)/t/core/%.o $(OUT)/t/core.a \
                               $(OUT)/core/libcmp.a
	@$(CC) $(CORE_CFLAGS) -o $@ $^ -lcmocka $(CORE_LIBS)

$(BENCH_PROGS): $(OUT)/t/bench/%: $(OUT)/t/bench/%.o $(OUT)/t/bench.a \
                                 $(OUT)/core/libcmp.a
	@$(CC) $(CORE_CFLAGS) -o $@ $^ -lssl $(CORE_LIBS)

$(OUT)/cmpctl-seal: sql/cmpctl_seal.c $(OUT)/core/libcmp.a build/core.mk
	@$(CC) $(CORE_CFLAGS) -o $@ $< $(OUT)/core/libcmp.a $(CORE_LIBS)

unit-build: $(UNIT_PROGS)

unit: unit-build ## the unit tests of the core (BUILD=...)
	@JOBS=$(JOBS) UNIT_RUN="$(UNIT_RUN)" build/unit.sh $(UNIT_PROGS)

bench-build: $(BENCH_PROGS)

.PHONY: unit-build bench-build
.SECONDARY:

-include $(wildcard $(OUT)/core/*.d $(OUT)/t/*/*.d $(OUT)/*.d)
