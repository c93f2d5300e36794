FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --no-deps --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY rollback_manager rollback_manager
COPY workflows workflows
COPY activities activities
COPY workers workers
COPY starters starters
COPY demo demo
RUN python -m hatchling build --target wheel
# The lock as a constraint: what the worker needs and no tool, held to the same versions and hashes.
RUN python -m venv --without-pip /opt/rollback-manager \
    && uv pip install --no-cache --python /opt/rollback-manager --constraint requirements.lock \
        "rollback-manager[worker] @ file://$(ls /src/dist/*.whl)"

FROM python:3.12-slim
# What reverts are proposed with: decision 0038.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 rollback
COPY --from=build /opt/rollback-manager /opt/rollback-manager
ENV PATH=/opt/rollback-manager/bin:$PATH PYTHONUNBUFFERED=1
USER rollback
WORKDIR /home/rollback
ENTRYPOINT ["rollback-manager"]
CMD ["worker"]
