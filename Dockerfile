# syntax=docker/dockerfile:1
# anyturn's image: the host, the application, and the application's components as machine code. Nothing else: no shell,
# no package manager. It runs as any user, with a read-only root file system. docs/deploying.md says how to run it.

# The compiler of rust-toolchain.toml, on the Debian whose C library the image takes along.
FROM docker.io/library/rust:1.95.0-slim-bookworm AS toolchain
WORKDIR /anyturn
COPY rust-toolchain.toml .
RUN rustup toolchain install && cargo install --locked --version 0.1.77 cargo-chef

# What the sources depend on, apart from the sources: it changes only when a Cargo.toml or Cargo.lock does.
FROM toolchain AS dependencies
COPY . .
RUN cargo chef prepare --recipe-path /recipe.json

FROM toolchain AS build
COPY --from=dependencies /recipe.json /recipe.json
# Components hold no path of the machine that built them; the flag is what `cargo xtask build` gives them.
ENV CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS=--remap-path-prefix=/usr/local/cargo/registry/src=/cargo/registry
RUN cargo chef cook --locked --recipe-path /recipe.json --profile dist --package anyturn
# A layer of its own: it takes minutes, and changes with other dependencies. What the line above left of the workspace
# is built by the command that builds components: cargo compiles what they are linked of in another way for `cargo build`.
# hadolint ignore=DL3059
RUN for package in anyturn-accounts anyturn-calendar anyturn-chat anyturn-contacts anyturn-email anyturn-model \
        anyturn-state-redis anyturn-tasks anyturn-telemetry anyturn-web; do \
        cargo rustc --profile component --target wasm32-wasip2 --crate-type cdylib --locked -p "$package" || exit 1; \
    done
COPY . .
RUN cargo xtask image /image

FROM scratch
COPY --from=build /image/ /
# ANYTURN_PROCESSOR has to be what the components were compiled with; so the host finds them and compiles nothing.
ENV ANYTURN_MANIFEST=/app/spin.toml \
    ANYTURN_CACHE_DIR=/app/cache \
    ANYTURN_DATA_DIR=/data \
    ANYTURN_PROCESSOR=any \
    ANYTURN_LISTEN=0.0.0.0:3000 \
    ANYTURN_LOG_FORMAT=json
USER 65532:65532
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/anyturn", "health"]
ENTRYPOINT ["/anyturn"]
CMD ["up"]
