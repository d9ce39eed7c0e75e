# neuro-preprocess: one file. `make help` lists the targets.
# Yours to set: CC CFLAGS CPPFLAGS LDFLAGS LDLIBS (added to ours, never replaced), PREFIX DESTDIR,
# BUILD (folder for everything that is made), CODECS (e.g. CODECS=zlib), RELAXED=1 (warnings are no errors).

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build
VARIANT ?= release

CC      ?= cc
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

# The baseline is fixed so that the same source gives the same bits on every machine of an architecture.
TARGET     := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null)))
ARCH_FLAGS := $(if $(filter x86_64,$(TARGET)),-march=x86-64-v2 -fcf-protection)
WARNINGS   := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
              -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wcast-qual $(if $(RELAXED),,-Werror -Wno-error=cpp)
HARDENING  := -fPIE -fstack-protector-strong -fstack-clash-protection \
              $(if $(filter release,$(VARIANT)),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)

# What a build for finding faults adds.
VARIANT_FLAGS_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
VARIANT_FLAGS_tsan := -fsanitize=thread -fno-omit-frame-pointer
VARIANT_FLAGS_cov  := --coverage -O0
# Sections of their own, so that the linker can say which functions the program does not need (scripts/check-unused.sh).
VARIANT_FLAGS_sections := -O0 -ffunction-sections
VARIANT_FLAGS_fuzz := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
VARIANT_FLAGS      := $(VARIANT_FLAGS_$(VARIANT))

NP_CFLAGS   := -std=c11 -O2 -g $(ARCH_FLAGS) -ffp-contract=off -fno-math-errno -fno-trapping-math -fvisibility=hidden -pthread \
               $(WARNINGS) $(HARDENING) $(VARIANT_FLAGS)
NP_CPPFLAGS := -Isrc -Itests/unit -Itests/fuzz -isystem /usr/include/nifti -I$(OUT)/proto -D_GNU_SOURCE -DNP_VERSION='"$(VERSION)"' \
               $(if $(filter libdeflate,$(CODECS)),-DNP_WITH_LIBDEFLATE) $(if $(filter isal,$(CODECS)),-DNP_WITH_ISAL)
NP_LDFLAGS  := -pthread -pie -Wl,-z,relro,-z,now,-z,noexecstack $(VARIANT_FLAGS)
NP_LDLIBS   := -lnifti2 -lznz -lz -ljansson -lprotobuf-c -lm $(if $(filter libdeflate,$(CODECS)),-ldeflate) \
               $(if $(filter isal,$(CODECS)),-lisal)
# Debugging information names no folder of this machine, so that the same source gives the same program in any folder.
COMPILE     = $(CC) $(NP_CPPFLAGS) $(CPPFLAGS) $(NP_CFLAGS) $(CFLAGS) -fdebug-prefix-map=$(CURDIR)=. -fdebug-prefix-map=$(OUT)/=build/ -MMD -MP
LINK        = $(CC) $(NP_CFLAGS) $(CFLAGS) $(NP_LDFLAGS) $(LDFLAGS)

# MODULES="base image" builds and tests those alone.
MODULES  ?= *
SOURCES  := $(sort $(wildcard $(patsubst %,src/%/*.c,$(MODULES))))
LIB_OBJS := $(patsubst %.c,$(OUT)/%.o,$(filter-out src/cli/main.c,$(SOURCES)))
MAIN_OBJ := $(OUT)/src/cli/main.o
LIBRARY  := $(OUT)/libnp.a

# OTLP's messages, as protobuf-c makes them from proto/; answers are read with them, and tests compare.
PROTOS     := $(if $(filter otlp send *,$(MODULES)),$(wildcard proto/*.proto))
PROTO_SRC  := $(patsubst proto/%.proto,$(OUT)/proto/%.pb-c.c,$(PROTOS))
LIB_OBJS   += $(PROTO_SRC:.c=.o)

UNIT_SRC  := $(sort $(wildcard $(patsubst %,tests/unit/%/test_*.c,$(MODULES))))
UNIT_BINS := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(UNIT_SRC))
UNIT_HELP := $(patsubst %.c,$(OUT)/%.o,$(sort $(wildcard tests/unit/*.c)))
FUZZ_BINS := $(patsubst tests/fuzz/%.c,$(OUT)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
BENCH_BINS := $(patsubst tests/bench/%.c,$(OUT)/bench/%,$(sort $(wildcard tests/bench/*.c)))
MADE_BY_PROGRAM := $(addprefix $(BUILD)/share/,neuro-preprocess.1 neuro-preprocess.bash _neuro-preprocess neuro-preprocess.fish)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all
all: $(PROGRAM) ## build the program: build/neuro-preprocess

$(PROGRAM): $(MAIN_OBJ) $(LIBRARY)
	@mkdir -p $(@D)
	$(LINK) -o $@ $(MAIN_OBJ) $(LIBRARY) $(NP_LDLIBS) $(LDLIBS)

$(LIBRARY): $(LIB_OBJS)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

$(OUT)/unneeded: $(MAIN_OBJ) $(LIB_OBJS)
	$(LINK) -Wl,--gc-sections,--print-gc-sections -o $(OUT)/linked $^ $(NP_LDLIBS) $(LDLIBS) 2>$@ || { cat $@ >&2; exit 1; }

$(OUT)/%.o: %.c $(OUT)/flags
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

$(OUT)/proto/%.pb-c.c: proto/%.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=proto --c_out=$(@D) $<
$(OUT)/proto/%.o: $(OUT)/proto/%.c $(OUT)/flags
	$(COMPILE) -w -c -o $@ $<
$(filter $(OUT)/proto/% $(OUT)/src/send/%,$(LIB_OBJS)) $(patsubst %.c,$(OUT)/%.o,$(filter tests/unit/otlp/% tests/unit/send/%,$(UNIT_SRC)) tests/fuzz/fuzz_otlp_batch.c): | $(PROTO_SRC)

# Objects are made anew when the flags change, version.o alone when the commit does.
quote        = '$(subst ','\'',$(1))'
write_if_new = @mkdir -p $(@D); printf '%s\n' $(call quote,$(1)) | cmp -s - $@ || printf '%s\n' $(call quote,$(1)) >$@
FLAGS_NOW   := $(subst $(OUT)/,,$(CC) $(NP_CPPFLAGS) $(CPPFLAGS) $(NP_CFLAGS) $(CFLAGS) $(NP_LDFLAGS) $(LDFLAGS) $(NP_LDLIBS) $(LDLIBS))
# Outside a clone, .commit says which one the source archive was made of.
COMMIT      := $(or $(if $(wildcard .git),$(shell git rev-parse --short=12 HEAD 2>/dev/null)),$(shell sed -n 's/^\([0-9a-f]\{12\}\)[0-9a-f]*$$/\1/p' .commit 2>/dev/null),unknown)
BUILD_FLAGS := $(subst ",\",$(strip $(CC) $(CPPFLAGS) $(NP_CFLAGS) $(CFLAGS)))
.PHONY: force
force:
$(OUT)/flags: force
	$(call write_if_new,$(FLAGS_NOW))
$(OUT)/commit: force
	$(call write_if_new,$(COMMIT))
$(OUT)/src/cli/version.o: $(OUT)/commit
$(OUT)/src/cli/version.o: private NP_CPPFLAGS += -DNP_COMMIT='"$(COMMIT)"' -DNP_BUILD_FLAGS=$(call quote,"$(BUILD_FLAGS)")

# The thread sanitizer watches no access of the network's convolutions: each would take minutes. Their threads share no output
# (test_conv compares the bytes of one thread and of many).
ifeq ($(VARIANT),tsan)
$(OUT)/src/ops/conv.o: private NP_CFLAGS += -fno-sanitize=thread
endif

# The weights are a part of their object file.
$(OUT)/src/ops/brain_net.o: src/ops/brain_net.q8

# Test programs; `tests/run` asks for them.
.PHONY: unit fuzzers
unit: $(UNIT_BINS)
$(OUT)/unit/%: $(OUT)/tests/unit/%.o $(UNIT_HELP) $(LIBRARY)
	@mkdir -p $(@D)
	$(LINK) -o $@ $(filter %.o,$^) $(LIBRARY) $(NP_LDLIBS) $(LDLIBS)

fuzzers: $(FUZZ_BINS)
$(OUT)/fuzz/%: $(OUT)/tests/fuzz/%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(LINK) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(LIBRARY) $(NP_LDLIBS) $(LDLIBS)

.PHONY: bench-programs
bench-programs: $(BENCH_BINS)
$(OUT)/bench/%: $(OUT)/tests/bench/%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(LINK) -o $@ $(filter %.o,$^) $(LIBRARY) $(NP_LDLIBS) $(LDLIBS)

.PHONY: demo
demo: ## build, make a small dataset with one broken session, preprocess it, say what came out
	@BUILD=$(BUILD) scripts/demo.sh

# --- tests -----------------------------------------------------------------------------------------------------------
export BUILD VARIANT
.PHONY: check check-unit check-cli check-packaging check-layers check-format check-headers check-unused lint asan tsan fuzz cov bench
check: ## everything that tests need (Debian packages, named first), then all tests
	@scripts/install-deps.sh check
	+@tests/run layers format build unit cli contributing determinism fuzz telemetry packaging servers

check-unit: ## unit tests alone
	+@tests/run build unit

check-cli: ## the program's tests alone
	+@tests/run build cli contributing determinism

check-packaging: ## Apptainer, Boutiques, Nipoppy, Slurm; as root only with NP_TEST_SYSTEM=1, which lets them change the system
	+@tests/run build packaging

.PHONY: check-cohort
check-cohort: ## 2000 sessions: what is said of disk, and, through Slurm, of what is left when all kinds of things happen (minutes)
	+@tests/run build cohort

.PHONY: check-mriqc
check-mriqc: $(OUT)/mriqc/scenes ## image quality beside MRIQC's own functions (from the Python package index: minutes, the first time); MRIQC_WRITE=1 keeps its numbers for the unit tests
	@tests/mriqc/run.sh $<

$(OUT)/mriqc/%: $(OUT)/tests/mriqc/%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(LINK) -o $@ $(filter %.o,$^) $(LIBRARY) $(NP_LDLIBS) $(LDLIBS)

.PHONY: check-telemetry collector
check-telemetry: ## telemetry alone, against a real OpenTelemetry Collector and a receiver that misbehaves (needs a recent Go)
	+@tests/run build telemetry

collector: ## build that Collector and receiver into the user's cache and say where: minutes, the first time
	@scripts/collector.sh

.PHONY: check-stack stack-native
check-stack: ## the telemetry stack with its real servers (docs/stack.md); builds them first, when needed
	+@tests/run build stack

stack-native: ## build these servers into the user's cache and say where: a quarter of an hour and more, the first time (needs a recent Go)
	@scripts/stack/build.sh

check-layers: ## who may include whom (scripts/layers.txt)
	@scripts/check-layers.sh

check-format: ## clang-format finds nothing to change
	@scripts/check-format.sh

check-headers: ## each header compiles alone, and all together, with gcc and clang
	@scripts/check-headers.sh

check-words: ## words that the project does not use (scripts/words.txt)
	@scripts/check-words.sh

check-unused: ## functions that the program does not need stay for a reason (scripts/unused.txt)
	+@scripts/check-unused.sh

lint: ## clang-tidy, cppcheck and shellcheck; headers alone, withdrawn words, functions that nothing calls
	@scripts/install-deps.sh lint
	@scripts/lint.sh

asan: ## all tests with the address and undefined-behaviour sanitizers
	+@VARIANT=asan tests/run build unit cli

tsan: ## unit tests with the thread sanitizer
	+@VARIANT=tsan tests/run build unit

fuzz: ## all fuzz targets, FUZZ_SECONDS in total (default 60)
	+@tests/run fuzz

.PHONY: registry
registry: $(OUT)/unit/trace/test_registry ## write the tables of names in docs/telemetry.md and docs/registry anew
	@NP_WRITE_REGISTRY=1 $(OUT)/unit/trace/test_registry

cov: ## line coverage by room, from unit and program tests
	+@VARIANT=cov tests/run build unit cli
	@scripts/coverage.sh $(BUILD)/cov

# zlib alone is the slowest codec that the program is ever built with. The path is whole, as in the tests: rules about headers hold for one spelling.
.PHONY: bench-build bench-bias bench-flame bench-test
bench-build: all bench-programs
	+@$(MAKE) --no-print-directory -s BUILD=$(abspath $(BUILD))/zlib CODECS=zlib all

bench: bench-build ## speed and accuracy beside peers; BENCH_ARGS="--data DIR --peers all --write" (docs/benchmarks.md)
	@tests/bench/run.sh $(BENCH_ARGS)

bench-bias: bench-build ## bias fields of known shape beside SimpleITK's N4: half an hour and more
	@tests/bench/run.sh --only bias $(BENCH_ARGS)

bench-flame: bench-programs ## draw where one session's time goes: docs/methods/flame.svg (needs perf)
	+@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/flame CFLAGS=-fno-omit-frame-pointer all
	@tests/bench/flame.sh docs/methods/flame.svg

bench-test: ## the benchmarks' own arithmetic
	@tests/bench/run.sh --self-test

# --- packaging -------------------------------------------------------------------------------------------------------
.PHONY: man install dist dist-binary container cross-arm64
man: $(BUILD)/share/neuro-preprocess.1 ## the man page, from the program's own option table

$(BUILD)/share/neuro-preprocess.1: $(PROGRAM)
	@mkdir -p $(@D)
	$(PROGRAM) --man >$@
$(BUILD)/share/neuro-preprocess.bash: $(PROGRAM)
	@mkdir -p $(@D)
	$(PROGRAM) --completion bash >$@
$(BUILD)/share/_neuro-preprocess: $(PROGRAM)
	@mkdir -p $(@D)
	$(PROGRAM) --completion zsh >$@
$(BUILD)/share/neuro-preprocess.fish: $(PROGRAM)
	@mkdir -p $(@D)
	$(PROGRAM) --completion fish >$@

.PHONY: descriptor
BUNDLES := nipoppy/neuro-preprocess-$(VERSION) nipoppy/neuro-preprocess-idps-$(VERSION)
descriptor: all ## renew boutiques/ and the Nipoppy bundles from the program's own tables
	$(PROGRAM) --bids-exec-spec >boutiques/descriptor.json
	$(PROGRAM) idps --bids-exec-spec >boutiques/idps-descriptor.json
	cp boutiques/descriptor.json $(word 1,$(BUNDLES))/descriptor.json
	cp boutiques/idps-descriptor.json $(word 2,$(BUNDLES))/descriptor.json

AT := $(DESTDIR)$(PREFIX)
install: all $(MADE_BY_PROGRAM) ## program, man page, completions and licence below DESTDIR and PREFIX (default /usr/local)
	install -D -m 755 $(PROGRAM) $(AT)/bin/neuro-preprocess
	install -D -m 755 scripts/slurm/np-slurm $(AT)/bin/np-slurm
	install -D -m 644 $(BUILD)/share/neuro-preprocess.1 $(AT)/share/man/man1/neuro-preprocess.1
	install -D -m 644 $(BUILD)/share/neuro-preprocess.bash $(AT)/share/bash-completion/completions/neuro-preprocess
	install -D -m 644 $(BUILD)/share/_neuro-preprocess $(AT)/share/zsh/site-functions/_neuro-preprocess
	install -D -m 644 $(BUILD)/share/neuro-preprocess.fish $(AT)/share/fish/vendor_completions.d/neuro-preprocess.fish
	scripts/slurm/np-slurm --man >$(AT)/share/man/man1/np-slurm.1
	scripts/slurm/np-slurm --completion bash >$(AT)/share/bash-completion/completions/np-slurm
	scripts/slurm/np-slurm --completion zsh >$(AT)/share/zsh/site-functions/_np-slurm
	scripts/slurm/np-slurm --completion fish >$(AT)/share/fish/vendor_completions.d/np-slurm.fish
	chmod 644 $(AT)/share/man/man1/np-slurm.1 $(AT)/share/bash-completion/completions/np-slurm \
		$(AT)/share/zsh/site-functions/_np-slurm $(AT)/share/fish/vendor_completions.d/np-slurm.fish
	install -d $(AT)/share/doc/neuro-preprocess
	install -m 644 README.md CHANGELOG.md CITATION.cff LICENSE src/ops/brain_net.md $(AT)/share/doc/neuro-preprocess/
	install -d $(addprefix $(AT)/share/neuro-preprocess/,boutiques $(BUNDLES))
	install -m 644 boutiques/*.json $(AT)/share/neuro-preprocess/boutiques/
	for bundle in $(BUNDLES); do install -m 644 $$bundle/*.json $(AT)/share/neuro-preprocess/$$bundle/ || exit; done

dist: ## source archive of the last commit: build/neuro-preprocess-VERSION.tar.gz
	@mkdir -p $(BUILD)
	git archive --prefix=neuro-preprocess-$(VERSION)/ HEAD | gzip -9n >$(BUILD)/neuro-preprocess-$(VERSION).tar.gz

# DT_RPATH and not RUNPATH: the libraries' own libraries, and those opened at run time, are looked for in it as well.
$(BUILD)/portable/neuro-preprocess: $(MAIN_OBJ) $(LIBRARY)
	@mkdir -p $(@D)
	$(LINK) -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/../lib' -o $@ $(MAIN_OBJ) $(LIBRARY) $(NP_LDLIBS) $(LDLIBS)

dist-binary: $(BUILD)/portable/neuro-preprocess $(MADE_BY_PROGRAM) ## program and libraries in one archive that runs wherever it is unpacked
	@scripts/dist-binary.sh $< $(BUILD)/neuro-preprocess-$(VERSION)-linux-$(TARGET).tar.gz

CONTAINER ?= host
container: ## Apptainer image: build/neuro-preprocess_VERSION.sif; CONTAINER=docker or debootstrap to build inside Debian 12
	@scripts/build-container.sh $(CONTAINER) $(BUILD)/neuro-preprocess_$(VERSION).sif

cross-arm64: all ## build for arm64; under emulation, compare its voxels with this machine's and run the unit tests: ten minutes and more
	@scripts/install-deps.sh cross
	@scripts/cross-arm64.sh

.PHONY: help clean
help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

clean: ## remove what was built
	rm -rf $(BUILD)

-include $(wildcard $(OUT)/src/*/*.d $(OUT)/proto/*.d $(OUT)/tests/unit/*.d $(OUT)/tests/unit/*/*.d $(OUT)/tests/fuzz/*.d $(OUT)/tests/bench/*.d $(OUT)/tests/mriqc/*.d)
