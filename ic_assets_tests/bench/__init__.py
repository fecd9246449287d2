"""What the pipeline costs against a bare COPY and the usual loader, measured side by side in one run: ``make bench``.
``python -m ic_assets_tests.bench --help``; what the figures mean: ``docs/performance.md``.
"""
