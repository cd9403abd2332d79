# What people and CI type. Everything is built by CMake presets (CMakePresets.json) under build/; nothing asks a question.

JOBS ?=
DEMO_ARGS ?=
FUZZ_SECONDS ?= 60
RUNS ?= 3

.PHONY: help deps build deb demo test test-release test-dev bench-adapt bench-campaign bench-poison bench-privacy bench-secagg bench-trainer profile-trainer interop fuzz format test-arm64 tidy clean

help:
	@echo 'make demo            install what is missing, build, run the demo (DEMO_ARGS="--quick")'
	@echo 'make test            install what is missing, build, run every test; all but those of numbers and of the cli under ASan and UBSan'
	@echo 'make build           build the programs alone: build/release/bin/freshet'
	@echo 'make deb             Debian packages of the daemons and the command: build/release/packages'
	@echo 'make test-release    build and run the tests of what is shipped: numbers, programs, simulated fleets'
	@echo 'make test-dev        build and run the torch-free folders but cli under ASan and UBSan'
	@echo 'make test-arm64      build the torch-free folders for aarch64 and run their tests under qemu-user; needs no root'
	@echo 'make bench-adapt     every way in which the cloud model learns of the nodes; build/bench/adapt.json'
	@echo 'make bench-campaign  a simulated campaign against the same loop in plain PyTorch'
	@echo 'make bench-poison    what poisoned nodes reach against each robust rule; build/bench/poison.json'
	@echo 'make bench-privacy   quality under differential privacy over epsilon, 1,000 simulated nodes; build/bench/privacy.json'
	@echo 'make bench-trainer   training, generation and tokenizers against transformers, peft and tokenizers'
	@echo 'make bench-secagg    secure aggregation: time, bytes and memory beside published figures; build/bench/secagg.json'
	@echo 'make profile-trainer where time and memory of a training step go; build/bench/profile-trainer.json'
	@echo 'make interop         the same numbers as transformers, peft, tokenizers and gguf; installs them under build/'
	@echo 'make fuzz            every fuzz target under libFuzzer, FUZZ_SECONDS=60 each'
	@echo 'make format          clang-format over our own sources'
	@echo 'make tidy            clang-tidy over the torch-free folders'
	@echo 'make clean           remove build/'

deps:
	@deploy/install_deps.sh

build:
	@deploy/build_preset.sh release '$(JOBS)' programs

demo: deps
	@$(MAKE) --no-print-directory build
	@deploy/demo_text.sh build/demo-text || { deploy/install_deps.sh --update && deploy/demo_text.sh build/demo-text; }
	build/release/bin/freshet demo $(DEMO_ARGS)

deb: deps
	@$(MAKE) --no-print-directory build
	@mkdir -p build/release/completions
	@build/release/bin/freshet manual build/release/man >/dev/null
	@build/release/bin/freshet completion bash >build/release/completions/freshet
	@cd build/release && cpack -G DEB >packages.log || { cat packages.log >&2; exit 1; }
	@ls build/release/packages/*.deb

test: deps
	@$(MAKE) --no-print-directory test-release
	@$(MAKE) --no-print-directory test-dev

test-release:
	@deploy/build_preset.sh release $(JOBS)
	@echo '== test release'
	@ctest --test-dir build/release --output-on-failure --no-tests=error -j 2

test-dev:
	@deploy/build_preset.sh dev $(JOBS)
	@echo '== test dev (ASan, UBSan)'
	@ctest --test-dir build/dev --output-on-failure --no-tests=error -j 2

test-arm64:
	@deploy/test_arm64.sh $(JOBS)

bench-campaign:
	@deploy/install_deps.sh python3-torch
	@$(MAKE) --no-print-directory build
	@/usr/bin/python3 tests/bench/campaign.py --runs $(RUNS)

bench-poison: build
	@cmake --build build/release --target bench_poison >/dev/null
	@python3 tests/bench/poison.py

bench-adapt: build
	@deploy/demo_text.sh build/demo-text
	@python3 tests/bench/adapt.py

bench-privacy: build
	@deploy/demo_text.sh build/demo-text
	@python3 tests/bench/privacy.py

bench-trainer: build
	@cmake --build build/release --target bench_tokenizer >/dev/null
	@deploy/interop_env.sh
	@if [ -x build/interop-venv/bin/python ]; then build/interop-venv/bin/python tests/bench/trainer.py --runs $(RUNS); \
	else python3 tests/bench/trainer.py --runs $(RUNS); fi

bench-secagg: build
	@cmake --build build/release --target bench_secagg >/dev/null
	@mkdir -p build/bench
	@build/release/bin/bench_secagg --runs $(RUNS) --folder build/bench --json build/bench/secagg.json
	@python3 tests/bench/secagg_quality.py

profile-trainer: build
	@cmake --build build/release --target bench_profile_trainer >/dev/null
	@mkdir -p build/bench
	@build/release/bin/bench_profile_trainer --json build/bench/profile-trainer.json

interop:
	@deploy/interop_env.sh
	@if build/interop-venv/bin/python -c 'import torch, peft, gguf' 2>/dev/null; then \
	  $(MAKE) --no-print-directory build && build/interop-venv/bin/python tests/interop/run.py; fi

fuzz:
	@deploy/install_deps.sh clang-14 libclang-rt-14-dev
	@deploy/build_preset.sh fuzz $(JOBS)
	@for target in build/fuzz/tests/fuzz_*; do \
	  name=$${target##*/fuzz_}; \
	  mkdir -p build/fuzz/corpus/$$name; \
	  echo "== fuzz $$name"; \
	  $$target -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -timeout=10 -artifact_prefix=build/fuzz/crash-$$name- \
	    -verbosity=0 -print_final_stats=1 build/fuzz/corpus/$$name tests/fuzz/seeds/$$name || exit 1; \
	done

format:
	@deploy/install_deps.sh clang-format-14
	@git ls-files '*.h' '*.cpp' | xargs clang-format-14 -i

tidy:
	@deploy/install_deps.sh clang-tidy-14
	@deploy/build_preset.sh release $(JOBS)
	@git ls-files '*.cpp' | grep -Ev '^(trainer|tests)/' | xargs -n 1 -P 2 clang-tidy-14 -p build/release --quiet

clean:
	rm -rf build
