/** Blue, amber, vermilion and grey stay apart for every kind of colour blindness; a texture or a sign goes with each. */
const LIGHT = `--paper:#fff;--ink:#17191c;--soft:#585f67;--line:#d8dce1;--panel:#f4f6f8;--accent:#0a5fb0;
--before:#bcc4cd;--new:#1a73c7;--waited:#a9cdf0;--waited-texture:#1a73c7;--old:#f0a818;--old-texture:#6b4500;--error:#c83214;--error-texture:#fff;--hung:#2b2f35;--hung-texture:#fff;
--good-tint:#e8f1fb;--good:#0a5fb0;--slow-tint:#fdf1d6;--slow:#7a4d00;--broken-tint:#fbe3dd;--broken:#a3230a`;
const DARK = `--paper:#14171b;--ink:#e9eaec;--soft:#a3abb5;--line:#353b43;--panel:#1d2127;--accent:#7dbcf5;
--before:#525b66;--new:#58a9ee;--waited:#234d75;--waited-texture:#58a9ee;--old:#f2b330;--old-texture:#4a3000;--error:#f0694a;--error-texture:#2a0b03;--hung:#e9eaec;--hung-texture:#14171b;
--good-tint:#152a40;--good:#8cc5f8;--slow-tint:#3a2d10;--slow:#f4c765;--broken-tint:#45190f;--broken:#ff9d85`;
const FONT = 'system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",Ubuntu,Cantarell,"Helvetica Neue",Arial,sans-serif';

const THEMES = `:root{color-scheme:light dark;${LIGHT}}
@media (prefers-color-scheme:dark){:root{${DARK}}}
@media print{:root{color-scheme:light;${LIGHT}}}`;

const TIMELINE = `.timeline{font-family:${FONT};font-variant-numeric:tabular-nums}
.paper{fill:var(--paper)}
.fill-new{fill:var(--new)}.fill-waited{fill:var(--waited)}.fill-before{fill:var(--before)}.fill-old{fill:var(--old)}.fill-error{fill:var(--error)}.fill-hung{fill:var(--hung)}
.texture-waited{stroke:var(--waited-texture);stroke-width:1.2}.texture-old{stroke:var(--old-texture);stroke-width:1.4}.texture-error{stroke:var(--error-texture);stroke-width:1}.texture-hung{fill:var(--hung-texture)}
.grid{stroke:var(--line);stroke-width:1}
.zero{stroke:var(--ink);stroke-width:1.6}
.zero-label{fill:var(--ink);font-size:13px;font-weight:600}
.head{fill:var(--soft);font-size:12.5px}
.tick{fill:var(--soft);font-size:12.5px}
.client{fill:var(--ink);font-size:13px}
.figure{font-size:15px;font-weight:650;fill:var(--ink)}.figure.broken{fill:var(--broken)}
.down{stroke:var(--ink);stroke-width:5;fill:none}
.whisker{stroke:var(--ink);stroke-width:1.2;fill:none}
.arrow{fill:var(--ink)}`;

/** For a picture in a file of its own. */
export const SVG_STYLE: string = `${THEMES}\n${TIMELINE}`;

export const PAGE_STYLE: string = `${THEMES}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;print-color-adjust:exact;-webkit-print-color-adjust:exact}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.55 ${FONT}}
main,header,footer{max-width:84rem;margin:0 auto;padding:0 clamp(1rem,2.5vw,2.5rem)}
header{padding-top:2.5rem}
h1{font-size:2rem;line-height:1.2;letter-spacing:-.015em;margin:0 0 .35rem;font-weight:700}
h2{font-size:1.4rem;line-height:1.25;letter-spacing:-.01em;margin:0 0 .25rem;font-weight:680}
h3{font-size:1rem;margin:2rem 0 .5rem;font-weight:650}
h1,h2,p,li{overflow-wrap:anywhere}
p{max-width:46rem;margin:.25rem 0 .75rem}
a{color:var(--accent);text-underline-offset:.15em}
.description::first-letter{text-transform:uppercase}
.soft{color:var(--soft)}
section{margin-top:2rem}
section.fault,section.machine{margin-top:3.5rem;padding-top:2rem;border-top:1px solid var(--line)}
.scroll{overflow-x:auto;margin:1rem 0}
.scroll+.scroll{margin-top:2.5rem}
.scroll:focus-visible,a:focus-visible{outline:2px solid var(--accent);outline-offset:3px}
figure{margin:1rem 0}
figcaption,caption{color:var(--soft);font-size:.875rem;line-height:1.45}
figcaption{max-width:60rem;margin-top:.35rem}
.timeline{display:block;width:100%;min-width:44rem;height:auto}
table{border-collapse:collapse;width:100%;font-size:.875rem;line-height:1.35;font-variant-numeric:tabular-nums}
caption{text-align:left;padding:0 0 .6rem;max-width:min(60rem,calc(100vw - 2rem))}
caption>span{display:block;max-width:min(60rem,calc(100vw - 2rem))}
caption strong{color:var(--ink);font-size:1rem;font-weight:650}
th,td{padding:.45rem .6rem;text-align:right;vertical-align:top;border-bottom:1px solid var(--line)}
th{font-weight:600}
thead th{color:var(--soft);font-weight:500;vertical-align:bottom;line-height:1.25}
thead tr:last-child th{border-bottom:1.5px solid var(--ink)}
th[scope=row],thead th:first-child,.text{text-align:left}
th[scope=row]{overflow-wrap:anywhere;min-width:8rem;max-width:14rem}
th.group{text-align:center}
.set{border-left:1px solid var(--line)}
td{white-space:nowrap}td.text{min-width:7.5rem}td.text,.glance td{white-space:normal}
td.bad{color:var(--broken);font-weight:650}
tr.bare th,tr.bare td{color:var(--soft);font-weight:400}
.glance{border-collapse:separate;border-spacing:2px}
.glance th,.glance td{border:0;padding:.4rem .3rem}
.glance th:first-child{padding-left:0}
.glance thead tr:last-child th{border:0}
.glance thead th{text-align:left;overflow-wrap:anywhere}
.glance td{text-align:left;border-radius:3px;min-width:4rem}
.glance td b{display:block;font-size:.84rem;letter-spacing:-.015em;font-weight:650;white-space:nowrap}
.glance td span{display:block;font-size:.75rem;line-height:1.3;color:var(--ink)}
.glance td.total{min-width:7.2rem}
.glance td.total span{white-space:nowrap}
.glance td.total b{font-size:1.15rem}
.glance th[scope=row]{position:sticky;left:0;background:var(--paper);min-width:6.5rem;line-height:1.25;vertical-align:middle}
td.good{background:var(--good-tint)}td.slow{background:var(--slow-tint)}td.broken{background:var(--broken-tint)}
td.good b,.key.good{color:var(--good)}td.slow b,.key.slow{color:var(--slow)}td.broken b,.key.broken{color:var(--broken)}
ul.keys{list-style:none;margin:.5rem 0 0;padding:0;font-size:.875rem;color:var(--soft);display:flex;flex-wrap:wrap;gap:.2rem 1.5rem}
.key{font-weight:700}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.25rem;margin:.75rem 0;max-width:60rem}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
@media (min-width:60rem),print{.terms{columns:2;column-gap:3rem}}
.terms>div{break-inside:avoid;padding-top:1rem}.terms h3{margin:0 0 .25rem}
footer{margin-top:4rem;padding-top:1rem;padding-bottom:3rem;color:var(--soft);font-size:.875rem}
@media (max-width:40rem){dl{grid-template-columns:1fr}dd{margin-bottom:.5rem}h1{font-size:1.6rem}}
@media print{
@page{size:A4 landscape;margin:12mm}
html{font-size:9.5pt}
main,header,footer{max-width:none;padding:0}
header{padding-top:0}
section.fault{break-before:page;border:0;margin:0;padding:0}
section.machine{margin-top:1.5rem;padding-top:1rem;break-inside:avoid}
figure,table,tr,h2,h3,caption,dl{break-inside:avoid}
h2,h3,caption{break-after:avoid}
thead{display:table-header-group}
.scroll{overflow:visible}
.timeline{min-width:0;max-height:96mm}
table{font-size:7.5pt}
.scroll+.scroll{margin-top:1.2rem}
.glance td,.glance td.total{min-width:0}
.glance td b{font-size:7.5pt}.glance td.total b{font-size:9pt}
.glance thead th{font-size:7pt}
.glance{border-spacing:1px}
.glance td span{font-size:6.5pt}
th,td{padding:.18rem .35rem}
.glance th,.glance td{padding:.18rem .22rem}
footer{margin-top:1rem;padding-bottom:0}
a{color:inherit;text-decoration:none}
}
${TIMELINE}`;
