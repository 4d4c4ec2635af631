# Copyright (C) ngx_http_cmp_module contributors
#
# The store without nginx: its tests and its benchmark.

STORE_CFLAGS = $(CORE_CFLAGS) -It/store -I$(shell $(PG_CONFIG) --includedir)
STORE_LIBS = -L$(shell $(PG_CONFIG) --libdir) -lpq -lcmocka $(CORE_LIBS)

STORE_OBJS = $(patsubst src/store/%.c,$(OUT)/store/%.o,$(wildcard src/store/*.c))
STORE_PROGS = $(patsubst t/store/%.c,$(OUT)/t/%,$(wildcard t/store/*_test.c) \
                t/store/store_bench.c)
STORE_HELP = $(OUT)/store/store_client.o $(OUT)/store/store_crl.o \
             $(OUT)/store/store_fixture.o \
             $(OUT)/core/cmp_core.o $(OUT)/core/cmp_seal.o

$(OUT)/store/%.o: src/store/%.c build/store.mk
	@mkdir -p $(@D)
	@$(CC) $(STORE_CFLAGS) -c -o $@ $<

$(OUT)/store/%.o: t/store/%.c build/store.mk
	@mkdir -p $(@D)
	@$(CC) $(STORE_CFLAGS) -c -o $@ $<

$(STORE_PROGS): $(OUT)/t/%: $(OUT)/store/%.o $(STORE_HELP) $(STORE_OBJS)
	@mkdir -p $(@D)
	@$(CC) $(STORE_CFLAGS) -o $@ $^ $(STORE_LIBS)

store-build: $(STORE_PROGS) $(OUT)/cmpctl-seal

.PHONY: store-build

-include $(wildcard $(OUT)/store/*.d)
