raise ImportError("sklearn is not part of a plain installation of ray-pipeline")
