# Two stages: the wheel is built in one, installed into an environment of its own, and only that environment
# is carried over to the other. Both start from the same Debian release, so that paths and libraries agree.
#
#   docker build -t llm-edge-agent .
#   docker build -t llm-edge-agent --build-arg REQUIREMENTS=cloud .   # finds Amazon's, Azure's and Google's credentials
#   docker run --read-only -p 8080:8080 -v ./llm-edge.yaml:/etc/llm-edge-agent/llm-edge.yaml:ro \
#     -v state:/var/lib/llm-edge-agent llm-edge-agent
ARG BUILDER=rust:1.95-slim-bookworm
ARG BASE=debian:bookworm-slim
ARG REQUIREMENTS=runtime

# hadolint ignore=DL3006
FROM ${BUILDER} AS build
ARG REQUIREMENTS
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates gcc g++ make python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements/build.txt requirements/runtime.txt requirements/${REQUIREMENTS}.txt requirements/
# The environment is made where it will run: its scripts hold absolute paths.
RUN python3 -m venv /opt/build \
 && /opt/build/bin/pip install --no-deps --require-hashes -r requirements/build.txt \
 && python3 -m venv /opt/llm-edge-agent \
 && /opt/llm-edge-agent/bin/pip install --no-deps --require-hashes -r requirements/${REQUIREMENTS}.txt
COPY Cargo.toml Cargo.lock clippy.toml pyproject.toml README.md LICENSE ./
COPY rust rust
# Not built here, but a workspace is read with all its members.
COPY bench/driver bench/driver
COPY python python
COPY scripts/wheel.sh scripts/training.py scripts/
# --compatibility linux: this wheel is for this base alone, not for every Linux.
RUN CI=true MATURIN=/opt/build/bin/maturin scripts/wheel.sh dist --compatibility linux \
 && /opt/llm-edge-agent/bin/pip install --no-deps --no-index dist/*.whl \
 && /opt/llm-edge-agent/bin/pip uninstall --yes pip setuptools

# hadolint ignore=DL3006
FROM ${BASE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="LLM-Edge-Agent" \
      org.opencontainers.image.description="One OpenAI- and Anthropic-compatible address in front of your model providers" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/* \
 && install -d -o 65532 -g 65532 -m 0700 /var/lib/llm-edge-agent
COPY --from=build /opt/llm-edge-agent /opt/llm-edge-agent
# A container is reached from outside; a configuration without keys is then refused. The admin port stays on
# loopback. Defaults only: what the configuration says goes before them.
ENV PATH=/opt/llm-edge-agent/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    STATE_DIRECTORY=/var/lib/llm-edge-agent \
    LLM_EDGE_DEFAULT_LISTEN__API=0.0.0.0:8080 \
    LLM_EDGE_DEFAULT_LISTEN__METRICS=0.0.0.0:9464
VOLUME ["/var/lib/llm-edge-agent"]
EXPOSE 8080 9464
USER 65532:65532
WORKDIR /var/lib/llm-edge-agent
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["llm-edge-agent", "healthcheck"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["llm-edge-agent"]
CMD ["serve"]
