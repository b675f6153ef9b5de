# The image of every node of a cluster, named by cluster.yaml and rayjob.yaml: head, workers and the
# pod that submits a job have the same Ray and Python, and the library versions that were tested.
#
#   pip wheel --no-deps --wheel-dir wheel .    # in the repository; or put the wheel that you have there
#   docker build -t registry.example.com/ray-pipeline:2.60.0-py311-cpu .
#   docker push registry.example.com/ray-pipeline:2.60.0-py311-cpu
#
# Packages that add model families, or that your own stages need, belong in an image built on it.

ARG RAY_VERSION=2.60.0
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
COPY wheel/ /home/ray/wheel/
RUN pip install --no-cache-dir -c /home/ray/constraints.txt "$(echo /home/ray/wheel/*.whl)[${EXTRAS}]" \
    && python -c "import lightgbm" \
    && python -m ray_pipeline --version

ENV RAY_USAGE_STATS_ENABLED=0
WORKDIR /home/ray
