# The image of every node of a cluster, which cluster.yaml and rayjob.yaml name: head, workers and
# the pod that submits a job have one Ray, one Python and the library versions that were tested.
#
#   docker build -t registry.example.com/ray-pipeline:2.60.0-py311-cpu .
#   docker push registry.example.com/ray-pipeline:2.60.0-py311-cpu
#
# Packages that add model families, or that your own stages need, belong in an image built on it.

ARG RAY_VERSION=2.60.0

FROM rayproject/ray:${RAY_VERSION}-py311-cpu AS wheel
COPY --chown=1000:100 LICENSE README.md pyproject.toml /home/ray/source/
COPY --chown=1000:100 ray_pipeline/ /home/ray/source/ray_pipeline/
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /home/ray/wheel /home/ray/source

FROM rayproject/ray:${RAY_VERSION}-py311-cpu
ARG EXTRAS=s3

# LightGBM's threads need libgomp1, which Ray's CPU image removes together with its compiler.
USER 0
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*

# By number, as Kubernetes wants it where it refuses root (runAsNonRoot): the user ray of the base.
USER 1000
COPY constraints.txt /home/ray/constraints.txt
COPY --from=wheel /home/ray/wheel/ /home/ray/wheel/
RUN pip install --no-cache-dir -c /home/ray/constraints.txt "$(echo /home/ray/wheel/*.whl)[${EXTRAS}]" \
    && python -c "import lightgbm" \
    && python -m ray_pipeline --version

ENV RAY_USAGE_STATS_ENABLED=0
WORKDIR /home/ray
