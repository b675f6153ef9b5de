raise ImportError("pandas is not part of a plain installation of ray-pipeline")
