# SPDX-License-Identifier: MIT
# make run    a node on 127.0.0.1:6379, data in ./data       make test   everything that must hold, on this machine
# make        build/shoal-server                              make help   the other targets

CC ?= gcc
KIND ?= release
OUT := build/$(KIND)
VERSION := 0.1.0

FLAGS_release := -O2 -g -DSHOAL_JEMALLOC
FLAGS_debug := -O0 -g3
FLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS_tsan := -O1 -g -fsanitize=thread
LIBS_release := -ljemalloc

CFLAGS := -std=c11 -D_GNU_SOURCE -Isrc -DSHOAL_VERSION='"$(VERSION)"' -MMD -MP \
	-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-align \
	-Wwrite-strings -Wvla -Wno-missing-field-initializers $(FLAGS_$(KIND))
LDFLAGS := $(filter -fsanitize%,$(FLAGS_$(KIND))) -pthread
LDLIBS := -lrocksdb -levent_core -lcrypto -lxxhash -lm $(LIBS_$(KIND))

SOURCES := $(sort $(wildcard src/*/*.c) $(filter-out src/main.c,$(wildcard src/*.c)))
OBJECTS := $(SOURCES:src/%.c=$(OUT)/%.o)
TEST_OBJECTS := $(patsubst tests/%.c,$(OUT)/tests/%.o,$(sort $(wildcard tests/sim/*.c tests/support/*.c)))
UNIT := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))

.PHONY: all debug asan tsan unit clean
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

debug asan tsan:
	$(MAKE) KIND=$@ build/$@/shoal-server

# The simulator and the test doubles, for whichever test uses them.
$(OUT)/tests.a: $(TEST_OBJECTS)
	@rm -f $@ && ar rcs $@ $^

$(OUT)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Itests -c -o $@ $<

# One unit test: make KIND=asan unit/test_row. All of them: make KIND=asan unit
$(OUT)/unit/%: tests/unit/%.c $(OUT)/tests.a $(OUT)/shoal.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Itests -o $@ $< $(filter-out $<,$(filter %.c,$^)) $(OUT)/tests.a $(OUT)/shoal.a $(LDFLAGS) -lcmocka $(LDLIBS)

unit/%: $(OUT)/unit/%
	$<

unit: $(UNIT:%=$(OUT)/unit/%)
	@for test in $^; do $$test || exit 1; done

clean:
	rm -rf build

-include $(OBJECTS:.o=.d) $(TEST_OBJECTS:.o=.d) $(OUT)/main.d $(wildcard $(OUT)/unit/*.d)
