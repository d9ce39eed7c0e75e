# neuro-preprocess: one file, no recursion. `make help` lists the targets.

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build
VARIANT ?= release

CC      ?= cc
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

OUT     := $(BUILD)/$(VARIANT)
PROGRAM := $(BUILD)/neuro-preprocess
ifneq ($(VARIANT),release)
PROGRAM := $(OUT)/neuro-preprocess
endif

# Codecs: zlib always; the others when their headers are there. CODECS=zlib builds without them.
have_header = $(shell printf '\#include <$(1)>\nint main(void){return 0;}\n' | $(CC) -E -x c - >/dev/null 2>&1 && echo yes)
ifeq ($(origin CODECS),undefined)
CODECS := zlib
CODECS += $(if $(call have_header,libdeflate.h),libdeflate)
CODECS += $(if $(filter x86_64 aarch64,$(shell uname -m)),$(if $(call have_header,isa-l/igzip_lib.h),isal))
endif

ARCH_FLAGS := $(if $(filter x86_64,$(shell $(CC) -dumpmachine 2>/dev/null | cut -d- -f1)),-march=x86-64-v2)
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wcast-qual $(if $(RELAXED),,-Werror)
HARDENING := -fstack-protector-strong -fPIE $(if $(filter release,$(VARIANT)),-D_FORTIFY_SOURCE=2)
NP_CFLAGS := -std=c11 -O2 -g $(ARCH_FLAGS) -ffp-contract=off -fno-math-errno -fno-trapping-math -fvisibility=hidden -pthread \
             $(WARNINGS) $(HARDENING)
NP_CPPFLAGS := -Isrc -Itests/unit -isystem /usr/include/nifti -D_GNU_SOURCE -DNP_VERSION='"$(VERSION)"' \
               $(if $(filter libdeflate,$(CODECS)),-DNP_WITH_LIBDEFLATE) $(if $(filter isal,$(CODECS)),-DNP_WITH_ISAL)
NP_LDFLAGS := -pthread -pie -Wl,-z,relro,-z,now
NP_LDLIBS  := -lnifti2 -lznz -lz -ljansson -lm $(if $(filter libdeflate,$(CODECS)),-ldeflate) \
              $(if $(filter isal,$(CODECS)),-lisal)

SANITIZE_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SANITIZE_tsan := -fsanitize=thread -fno-omit-frame-pointer
NP_CFLAGS  += $(SANITIZE_$(VARIANT))
NP_LDFLAGS += $(SANITIZE_$(VARIANT))
ifeq ($(VARIANT),cov)
NP_CFLAGS  += --coverage -O0
NP_LDFLAGS += --coverage
endif

# MODULES="base image" builds and tests those alone.
MODULES  ?= *
SOURCES  := $(sort $(wildcard $(patsubst %,src/%/*.c,$(MODULES))))
LIB_OBJS := $(patsubst %.c,$(OUT)/%.o,$(filter-out src/cli/main.c,$(SOURCES)))
MAIN_OBJ := $(OUT)/src/cli/main.o
LIBRARY  := $(OUT)/libnp.a

UNIT_SRC  := $(sort $(wildcard $(patsubst %,tests/unit/%/test_*.c,$(MODULES))))
UNIT_BINS := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(UNIT_SRC))
UNIT_HELP := $(patsubst %.c,$(OUT)/%.o,$(sort $(wildcard tests/unit/*.c)))

.DELETE_ON_ERROR:
.PHONY: all
all: $(PROGRAM) ## build the program

$(PROGRAM): $(MAIN_OBJ) $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(NP_CFLAGS) $(CFLAGS) $(NP_LDFLAGS) $(LDFLAGS) -o $@ $(MAIN_OBJ) $(LIBRARY) $(NP_LDLIBS) $(LDLIBS)

$(LIBRARY): $(LIB_OBJS)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

$(OUT)/%.o: %.c $(OUT)/flags
	@mkdir -p $(@D)
	$(CC) $(NP_CPPFLAGS) $(CPPFLAGS) $(NP_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Objects are made anew when the flags change.
FLAGS_NOW := $(CC) $(NP_CPPFLAGS) $(CPPFLAGS) $(NP_CFLAGS) $(CFLAGS) $(NP_LDLIBS)
$(OUT)/flags: force
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' >$@
.PHONY: force
force:

.PHONY: unit
unit: $(UNIT_BINS) ## build the unit tests
$(OUT)/unit/%: $(OUT)/tests/unit/%.o $(UNIT_HELP) $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(NP_CFLAGS) $(CFLAGS) $(NP_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBRARY) $(NP_LDLIBS) $(LDLIBS)
.SECONDARY:

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BUILD)

-include $(wildcard $(OUT)/src/*/*.d $(OUT)/tests/unit/*.d $(OUT)/tests/unit/*/*.d)
