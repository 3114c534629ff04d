# The job as a container: locked Python packages, a Java runtime from the lock as well, no root.
# Build:  docker build -t mri-triage .
# Run:    docker run --rm -e AWS_ACCESS_KEY_ID -e AWS_SECRET_ACCESS_KEY \
#           -e MRI_TRIAGE_IDENTIFIER_KEY -v /etc/mri-triage:/etc/mri-triage:ro \
#           mri-triage mri-triage night --place /etc/mri-triage/our-hospital.yaml
# All parts together: compose.yaml. There is no entry point, because Prefect's workers and Spark
# start commands of their own in this image.
FROM python:3.11-slim-bookworm AS builder

WORKDIR /build
COPY scripts/image_steps.sh ./scripts/
COPY locks ./locks
# A layer of its own: it stays as it is until a lock changes.
RUN scripts/image_steps.sh packages /opt/mri-triage
COPY . .
RUN scripts/image_steps.sh project /opt/mri-triage

FROM python:3.11-slim-bookworm

LABEL org.opencontainers.image.title="mri-triage" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin triage \
 && install -d -o 10001 -g 10001 /home/triage/served
COPY --from=builder /opt/mri-triage /opt/mri-triage
WORKDIR /home/triage
COPY prefect.yaml ./
COPY deployment ./deployment
# Workers of a Spark cluster run this Python and this Java too. Prefect writes a copy of its UI,
# which is not to be beside its code.
ENV PATH=/opt/mri-triage/bin:$PATH \
    JAVA_HOME=/opt/mri-triage/jre \
    PYSPARK_PYTHON=/opt/mri-triage/bin/python \
    PREFECT_UI_STATIC_DIRECTORY=/tmp/prefect-ui \
    PYTHONUNBUFFERED=1
USER 10001
# A night is a command that ends, not a service: healthy means that the program and its packaged
# settings load. Services have checks of their own (compose.yaml).
HEALTHCHECK --interval=5m --timeout=30s --start-period=10s \
  CMD ["mri-triage", "config", "show"]
CMD ["mri-triage", "--help"]
