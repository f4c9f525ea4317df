"""How the report looks, and what its captions say a good value is."""

from __future__ import annotations

from pacetomo.report.figures import GOOD_DEFOCUS_UM
from pacetomo.report.predicted import MOST_ROWS, SIGMAS
from pacetomo.report.summary import GOOD_RESIDUAL_NM

CAPTIONS = {
    "summary": (
        "Summary",
        "Residual: distance from the image centre to the point that was at the centre of the first "
        f"image; start images are left out. Good: median below {GOOD_RESIDUAL_NM:.0f} nm, 95 % below "
        f"{2 * GOOD_RESIDUAL_NM:.0f} nm; defocus within {GOOD_DEFOCUS_UM:g} µm; dose outside below 10 % of "
        "the dose inside. Values with ▲ are far from it.",
    ),
    "findings": (
        "What the tracking model has found out",
        "Each beyond about three standard errors. Good: none; of the single tracker there never are any.",
    ),
    "sample": (
        "Targets on the sample",
        "Beam at tilt 0 (full line) and at the largest tilt (dashed: stretched across the tilt axis). "
        "Good: no dashed footprint reaches another target's number. Right: heights above the tracking "
        "target. Good: the targets lie along the line of the assumed pretilt.",
    ),
    "residual": (
        "Residual at exposure",
        "Where each target lay from the image centre when its image was taken. Good: inside the green "
        f"band (±{GOOD_RESIDUAL_NM:.0f} nm), and no target that walks away with tilt.",
    ),
    "predicted": (
        "Measured against expected",
        f"Bands: where the tracking model expected each alignment and each fitted defocus, ± {SIGMAS:g} standard "
        "deviations; dots: what was measured. Start images are left out. Good: 19 of 20 dots in their band, on both "
        "sides. Dots that leave a narrow band on one side mean a stage or target that the model does not "
        f"know. Of more than {MOST_ROWS} targets, those that fit worst are shown.",
    ),
    "eucentric": (
        "Eucentric offset",
        "Height of each target above the tilt axis as the tracking model saw it. Good: within about ±1 "
        "µm, changing slowly; a line that runs away means that the target was lost.",
    ),
    "defocus": (
        "Defocus",
        "True defocus at the centre of each image against the wanted one. Good: parallel to the dashed "
        f"lines, the difference within the green band (±{GOOD_DEFOCUS_UM:g} µm).",
    ),
    "timeline": (
        "Microscope time",
        "What the time was spent on. Good: 8 to 9 s for each target and tilt, most of it tilting, "
        "settling and exposing.",
    ),
    "dose": (
        "Dose",
        "Dose in each target's own series and from all other exposures whose beam covered it. Good: "
        "outside at most a few per cent of the series; neighbours add up when beams overlap at high "
        "tilt.",
    ),
    "contact": (
        "First, middle and last image",
        "In order of acquisition; the cross marks the image centre. Good: the same place under the "
        "cross in all three, and no shadow creeping in.",
    ),
    "notes": ("Warnings, skips and errors", "In order of time. Good: empty, or skips you can explain."),
    "settings": ("Settings", "Highlighted: not left at the default."),
}
"""Heading and caption of each section, by its id."""

CSS = """
:root{color-scheme:light}
body{font:15px/1.45 "Segoe UI",system-ui,-apple-system,"Helvetica Neue",Arial,sans-serif;color:#1d232a;
  background:#f2f4f6;margin:0 auto;max-width:1200px;padding:0 12px 40px;box-sizing:border-box}
header,section{background:#fff;border-radius:8px;padding:14px 18px;margin:16px 0;box-shadow:0 1px 3px #0002}
h1{margin:4px 0;font-size:28px}h2{margin:0 0 8px;font-size:19px}h3{margin:0 0 4px;font-size:13px}
p{margin:6px 0;color:#47515c;max-width:110ch}.facts{color:#47515c;margin:0 0 10px}
.state{font-style:normal;font-size:15px;padding:3px 10px;border-radius:12px;vertical-align:middle}
.good{background:#d9f0e3;color:#10573a}.bad{background:#fde3cf;color:#8a3a00}
.cards{display:flex;flex-wrap:wrap;gap:10px;margin:10px 0}
.cards div{background:#f2f4f6;border-radius:6px;padding:8px 14px;flex:1 1 auto}
.cards b{display:block;font-size:22px}.cards span{font-size:13px;color:#47515c}
img.figure{width:100%;height:auto;display:block}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:3px 5px;text-align:right;border-bottom:1px solid #e3e6ea;vertical-align:top}
th{color:#47515c;font-weight:600;vertical-align:bottom}td.text{text-align:left;overflow-wrap:anywhere}
.numbers thead tr:first-child th{text-align:center;border-bottom:0;padding-bottom:0}
.numbers tr+tr th:nth-child(2),.numbers tr+tr th:last-child{text-align:left}
.name{white-space:nowrap}.numbers td:last-child{min-width:96px}.numbers th{white-space:nowrap}.whole{white-space:nowrap}
.tracking td{font-weight:600}.left td{color:#7a828c}td.poor{white-space:nowrap;background:#fde3cf;color:#8a3a00}
td.poor::before{content:"▲ ";font-size:9px}
.sheet{display:grid;grid-template-columns:repeat(2,1fr);gap:14px}
.strip{break-inside:avoid}.strip figure{display:inline-block;margin:0 6px 0 0;vertical-align:top}
.strip span{position:relative;display:block}.strip img{display:block;width:176px;height:auto}
.strip span::before,.strip span::after{content:"";position:absolute;background:#ffb000;left:50%;top:50%}
.strip span::before{width:15px;height:1px;margin-left:-7px}
.strip span::after{width:1px;height:15px;margin-top:-7px}
figcaption{font-size:12px;color:#47515c}.note{font-size:13px;grid-column:1/-1}
#notes th,#notes td,#settings th,#findings th,#findings td{text-align:left}#notes table{width:auto}
#findings td:first-child{white-space:nowrap;font-weight:600}
.error td{color:#a00000;font-weight:600}
.columns{columns:2;column-gap:28px}.changed td{background:#fff6d6}
section{break-inside:avoid}#contact,#settings,#notes{break-inside:auto}
@media print{body{background:#fff}header,section{box-shadow:none}}
"""
