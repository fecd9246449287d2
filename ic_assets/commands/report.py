"""``ic-assets report``."""

from pathlib import Path

from ic_assets.commands.runs import session
from ic_assets.commands.terminal import out


def report(folder: Path | None, *, full: bool = False) -> int:
    """Writes both reports: on record as a Dagster run, or just into ``folder``. With ``full`` a third file beside them, of
    the data quality with values as they are; no run, hence no record of Dagster's, ever holds it."""
    from ic_assets.activities.engine.reports import push_report, quality_report
    from ic_assets.activities.engine.reports import report as reports

    with session(quiet=True) as work:
        target = folder or work.settings.home / "reports"
        if folder is None:
            work.run("refresh_reports")
        written = [target / "data_quality.html", target / "push_completion.html"]
        with work.database.transaction() as connection:
            if folder is not None:
                for one in (quality_report.data_quality(connection), push_report.push_completion(connection)):
                    reports.write(one, target)
            if full:
                files = reports.write(quality_report.data_quality(connection, full=True), target)
                written.append(files.html)
    for path in written:
        out.print(str(path), markup=False)
    return 0
