# The job as a container: locked Python packages, a Java runtime from the lock as well, no root.
# Build:  docker build -t mri-triage .
# Run:    docker run --rm -e AWS_ACCESS_KEY_ID -e AWS_SECRET_ACCESS_KEY \
#           -e MRI_TRIAGE_IDENTIFIER_KEY -v /etc/mri-triage:/etc/mri-triage:ro \
#           mri-triage night --place /etc/mri-triage/our-hospital.yaml
FROM python:3.11-slim-bookworm AS builder

WORKDIR /build
COPY locks ./locks
# Two packages come as source only: what builds them is pinned in build.txt.
RUN python -m venv /opt/build /opt/mri-triage \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes --no-deps -r locks/build.txt \
 && /opt/mri-triage/bin/pip install --no-cache-dir --require-hashes --no-deps -r locks/build.txt \
 && /opt/mri-triage/bin/pip install --no-cache-dir --require-hashes --no-deps \
      --no-build-isolation -r locks/runtime.txt -r locks/jre.txt
COPY . .
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir wheels . \
 && /opt/mri-triage/bin/pip install --no-cache-dir --no-deps --no-index wheels/*.whl \
 && /opt/mri-triage/bin/python -m jobs.java_runtime

FROM python:3.11-slim-bookworm

LABEL org.opencontainers.image.title="mri-triage" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin triage
COPY --from=builder /opt/mri-triage /opt/mri-triage
ENV PATH=/opt/mri-triage/bin:$PATH \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /home/triage
# A night is a command that ends, not a service: healthy means that the program and its packaged
# settings load.
HEALTHCHECK --interval=5m --timeout=30s --start-period=10s \
  CMD ["mri-triage", "config", "show"]
ENTRYPOINT ["mri-triage"]
CMD ["--help"]
