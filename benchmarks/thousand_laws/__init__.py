"""The thousand-law study of Choshen, Zhang and Andreas 2024 (arXiv:2410.11840), in one command.

    python -m benchmarks.thousand_laws
        [--data FOLDER] [--laws laws.parquet] [--folder FOLDER] [--figures FOLDER] [--joint] [--save]

`protocol` says which rows each law is fitted to and judged on, `laws` fits them all in one batch and measures
the errors, `compare` holds the result to the study's own fits and printed heat maps, `figures` redraws the
paper's.
"""
