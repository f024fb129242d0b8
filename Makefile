# SPDX-License-Identifier: MIT
# make run    a node on 127.0.0.1:6379, data in ./data
# make test   everything that must hold, on this machine
# make        build/shoal-server
# make help   the other targets

ifeq ($(filter -j% --jobserver%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif

KIND ?= release
CC := $(if $(filter fuzz,$(KIND)),clang-14,gcc)
OUT := build/$(KIND)
VERSION := 0.1.0

FLAGS_release := -O2 -g -DSHOAL_JEMALLOC
FLAGS_debug := -O0 -g3
FLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all
FLAGS_tsan := -O1 -g -fsanitize=thread
# Fewer slots: another world of each seed, in a third of the time. For the simulator only.
FLAGS_hunt := -O2 -g -DSHOAL_JEMALLOC -DSHOAL_SLOT_BITS=9
# With planted bugs to choose from: base/mutant.h.
FLAGS_mutant := -O2 -g -DSHOAL_MUTANTS -Wl,-u,mutant_chosen
# Clang minds NULL + 0, which an empty buffer's bytes are.
FLAGS_fuzz := $(FLAGS_asan) -fsanitize=fuzzer-no-link -fno-sanitize=pointer-overflow
LIBS_release := -ljemalloc
LIBS_hunt := -ljemalloc

CFLAGS := -std=c11 -D_GNU_SOURCE -Isrc -DSHOAL_VERSION='"$(VERSION)"' -MMD -MP \
	-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-align -Wwrite-strings -Wvla -Wno-missing-field-initializers $(FLAGS_$(KIND))
export TSAN_OPTIONS ?= suppressions=$(CURDIR)/tests/tsan.supp
LDFLAGS := $(filter -fsanitize%,$(FLAGS_$(KIND))) -pthread
LDLIBS := -lrocksdb -levent_core -lcrypto -lxxhash -lm $(LIBS_$(KIND))

SOURCES := $(sort $(wildcard src/*/*.c) $(filter-out src/main.c,$(wildcard src/*.c)))
OBJECTS := $(SOURCES:src/%.c=$(OUT)/%.o)
TEST_SOURCES := $(sort $(wildcard tests/sim/*.c tests/support/*.c))
TEST_OBJECTS := $(TEST_SOURCES:tests/%.c=$(OUT)/tests/%.o)
DOUBLES := $(patsubst tests/%.c,$(OUT)/tests/%.o,$(wildcard tests/doubles/*.c))
UNIT := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))

.PHONY: all help run cluster test lint unit unit-build sim sim-mutants conversation upstream-suite \
	fuzz fuzz-build fuzz-commands fuzz-bytes process programs bench bench-cluster bench-gossip \
	chaos debug asan tsan kill powercut diskfull docs install clean
all: build/shoal-server

build/shoal-server: $(OUT)/shoal-server
	@ln -sf $(KIND)/shoal-server $@

$(OUT)/shoal-server: $(OUT)/main.o $(OUT)/shoal.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/shoal.a: $(OBJECTS)
	@rm -f $@ && ar rcs $@ $^

$(OUT)/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

help: # this list
	@echo 'make [KIND=release|debug|asan|tsan] [TARGET]: build/shoal-server, or one of:'
	@sed -n 's/^\([a-z][a-z -]*\):[^#]*# /  \1\t/p' Makefile | expand -t 26

run: # install what is missing, build, start a node on 127.0.0.1:6379 with its data in ./data
	@deps/install.sh build
	@$(MAKE) --no-print-directory all
	@mkdir -p data
	@exec build/shoal-server --bind 127.0.0.1 --port 6379 --dir data

cluster: # three nodes on 127.0.0.1:7001..7003: make cluster ARGS='--nodes 5 --zones 3'
	@deps/install.sh build
	@$(MAKE) --no-print-directory all
	@scripts/cluster.py $(ARGS)

test: # everything that must hold; the last line counts
	@.ci/run

debug asan tsan: # that kind of build: build/KIND/shoal-server
	@$(MAKE) --no-print-directory KIND=$@ build/$@/shoal-server

lint: # layers, forbidden calls, sizes, layout
	@scripts/lint.py

# The simulator and the test doubles, for whichever test uses them.
$(OUT)/tests.a: $(TEST_OBJECTS)
	@rm -f $@ && ar rcs $@ $^

$(OUT)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Itests -c -o $@ $<

# One unit test: make KIND=asan unit/test_row
$(OUT)/unit/%: tests/unit/%.c $(OUT)/tests.a $(OUT)/shoal.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Itests -o $@ $(filter %.c %.o,$^) $(filter %.a,$^) $(LDFLAGS) -lcmocka $(LDLIBS)

# Some stand on a double of the store instead of the real one.
standing_on = $(patsubst tests/%.c,$(OUT)/%,$(shell grep -ls '"doubles/$(1).h"' tests/unit/*.c))
$(call standing_on,talk): $(OUT)/tests/doubles/talk.o
$(call standing_on,talk) $(call standing_on,fake_txn): $(OUT)/tests/doubles/fake_txn.o
$(call standing_on,node_world): $(OUT)/tests/doubles/node_world.o $(OUT)/tests/doubles/no_cluster.o
$(call standing_on,quorum_world): $(OUT)/tests/doubles/quorum_world.o
$(call standing_on,quorum_world) $(call standing_on,fake_rows): $(OUT)/tests/doubles/fake_rows.o
$(call standing_on,sync_world): $(OUT)/tests/doubles/sync_world.o
$(call standing_on,sync_world) $(call standing_on,fake_copies): $(OUT)/tests/doubles/fake_copies.o

unit/%: $(OUT)/unit/%
	$<

unit-build: $(UNIT:%=$(OUT)/unit/%)

unit: # the unit tests: make KIND=asan unit
	@scripts/test.py unit-$(KIND)

# main() is in tests/sim/main.c, found in the archive.
$(OUT)/shoal-sim: $(OUT)/tests.a $(OUT)/shoal.a
	$(CC) -o $@ $^ $(LDFLAGS) -lcmocka $(LDLIBS)

SEEDS ?= 300
sim: $(OUT)/shoal-sim # stores, clusters in worlds of faults: make KIND=hunt sim SEEDS=100000
	$< --first tests/sim/seeds.txt --seeds $(SEEDS) --jobs $(shell nproc)

sim-mutants: # are planted bugs found? make sim-mutants ONLY=epoch SEEDS=20000 KEEP=1, or QUICK=1
	@$(MAKE) --no-print-directory KIND=mutant build/mutant/shoal-sim
	@scripts/mutants.py --seeds $(SEEDS) $(if $(QUICK),--quick) $(if $(KEEP),--keep) $(ONLY)

conversation: all # the same conversations with redis-server and with Shoal
	@tests/conversation/run.py $(ONLY)

upstream-suite: all # Redis's own tests: make upstream-suite ONLY=string UPDATE=1
	@deps/install.sh build test bench
	@tests/upstream/run.py $(if $(UPDATE),--update) $(ARGS) $(ONLY)

SEED ?= 1
# A fuzz target: with libFuzzer in KIND=fuzz, in all others with what replays its inputs.
FUZZ := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_MAIN := $(if $(filter fuzz,$(KIND)),libfuzzer,replay)
$(OUT)/fuzz/%: $(OUT)/tests/fuzz/%.o $(OUT)/tests/fuzz/$(FUZZ_MAIN).o $(OUT)/tests.a $(OUT)/shoal.a
	@mkdir -p $(@D)
	$(CC) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDFLAGS) \
		$(if $(filter fuzz,$(KIND)),-fsanitize=fuzzer) -lcmocka $(LDLIBS)
$(OUT)/fuzz/fuzz_quorum: $(OUT)/tests/doubles/quorum_world.o $(OUT)/tests/doubles/fake_rows.o

.SECONDARY: $(FUZZ:%=$(OUT)/tests/fuzz/%.o)
fuzz-build: $(FUZZ:%=$(OUT)/fuzz/%)

FUZZ_SECONDS ?= 60
fuzz: # libFuzzer on parsers and decoders, each FUZZ_SECONDS=60: make fuzz ONLY=row
	@deps/install.sh build test fuzz
	@$(MAKE) --no-print-directory KIND=fuzz fuzz-build
	@$(MAKE) --no-print-directory KIND=asan fuzz-build
	@tests/fuzz/run.py --seconds $(FUZZ_SECONDS) $(ONLY)

fuzz-commands: all # random commands to redis-server and Shoal: make fuzz-commands SEED=7 SEEDS=1000
	@tests/conversation/fuzz.py --seed $(SEED) --rounds $(SEEDS) $(ONLY)

fuzz-bytes: all # damaged streams to both: make fuzz-bytes SEED=7 SEEDS=100000
	@tests/conversation/fuzz_bytes.py --seed $(SEED) --rounds $(SEEDS)

process: all $(OUT)/shoal-sim # real processes: started, killed, filled up: make process ONLY=bit
	@tests/process/run.py $(ONLY)

programs: all # clients and tools of others, installed into build/: make programs ONLY=jedis
	@tests/programs/run.py $(ONLY)

ROUNDS ?= 50
kill powercut diskfull: all # that fault, again and again: make powercut ROUNDS=50
	@tests/process/run.py --rounds $(ROUNDS) $@

chaos: # a minute of each kind of trouble: make chaos ARGS='--seconds 10 --only cut --strict'
	@deps/install.sh build test bench chaos
	@$(MAKE) --no-print-directory all $(OUT)/shoal-sim
	@tests/process/chaos.py $(ARGS)

bench: # Shoal beside redis-server: make bench ARGS='--quick --only set'
	@deps/install.sh build bench
	@$(MAKE) --no-print-directory all
	@scripts/bench.py $(ARGS)

bench-cluster: # three nodes beside Redis Cluster: make bench-cluster ARGS='--quick --only death'
	@deps/install.sh build bench chaos
	@$(MAKE) --no-print-directory all
	@scripts/bench_cluster.py $(ARGS)

$(OUT)/bench_%: $(OUT)/tests/bench/bench_%.o $(OUT)/tests.a $(OUT)/shoal.a
	$(CC) -o $@ $^ $(LDFLAGS) -lcmocka $(LDLIBS)

NODES ?= 1000
bench-gossip: $(OUT)/bench_gossip # how fast, how dear, how wrong: make bench-gossip NODES=100
	$< $(NODES)

docs: all $(OUT)/unit/test_config $(OUT)/unit/test_commands # conf/shoal.conf, docs/commands.md
	$(OUT)/unit/test_config --print >$(OUT)/shoal.conf && cp $(OUT)/shoal.conf conf/
	scripts/commands.py $(OUT)/unit/test_commands >$(OUT)/commands.md && cp $(OUT)/commands.md docs/

PREFIX ?= /usr/local
CONFIG ?= /etc/shoal
UNITS ?= /lib/systemd/system
install: all # program, man page, unit, configuration: DESTDIR= PREFIX=/usr/local CONFIG=/etc/shoal
	install -D -m 755 build/shoal-server $(DESTDIR)$(PREFIX)/bin/shoal-server
	install -D -m 644 docs/shoal-server.8 $(DESTDIR)$(PREFIX)/share/man/man8/shoal-server.8
	install -d $(DESTDIR)$(UNITS)
	sed 's|@PREFIX@|$(PREFIX)|; s|@CONFIG@|$(CONFIG)|' conf/shoal.service \
		>$(DESTDIR)$(UNITS)/shoal.service
	test -e $(DESTDIR)$(CONFIG)/shoal.conf || \
		install -D -m 640 conf/shoal.conf $(DESTDIR)$(CONFIG)/shoal.conf

clean: # build/ away; data stays
	rm -rf build

-include $(OBJECTS:.o=.d) $(TEST_OBJECTS:.o=.d) $(DOUBLES:.o=.d) $(OUT)/main.d \
	$(wildcard $(OUT)/unit/*.d $(OUT)/tests/fuzz/*.d $(OUT)/tests/bench/*.d)
