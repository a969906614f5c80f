"""`mgld score` that stops, to be killed, when it comes to a given record: killed_score.py N ...

Run as a program by `test_scoring_folder.py`; blocks are of three records.
"""

import sys
import time

from mgld.scoring import rescore, vector_source

BLOCK = 3


def main(stop_at, dataset, embeddings, folder):
    images = vector_source.GivenVectors.images

    def until(self, start, stop, rows):
        while start >= stop_at:
            time.sleep(1)
        return images(self, start, stop, rows)

    rescore.BLOCK_RECORDS = BLOCK
    vector_source.GivenVectors.images = until
    rescore.rescore(dataset, embeddings=embeddings, folder=folder)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
