"""How the page looks, and the few things it does: no file beside it, nothing from anywhere else."""

from __future__ import annotations

STYLE = """
:root{--paper:#fbfaf7;--card:#fff;--ink:#22211f;--soft:#67645e;--line:#e4e0d8;--mark:#1d5fa8;--chip:#f0ede6}
@media(prefers-color-scheme:dark){:root{--paper:#161618;--card:#1f1f22;--ink:#ecebe7;--soft:#a7a49d;--line:#34343a;
--mark:#7db4ee;--chip:#2a2a2f}}
*{box-sizing:border-box}html{scroll-behavior:smooth;scroll-padding-top:7rem}
@media(prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",sans-serif;overflow-wrap:break-word}
header,main,footer{max-width:76rem;margin:0 auto;padding:0 clamp(.8rem,3vw,2rem)}
h1{font-size:clamp(1.5rem,4.5vw,2.3rem);line-height:1.15;letter-spacing:-.015em;font-weight:650;margin:2.2rem 0 1rem}
h2{font-size:1.45rem;letter-spacing:-.01em;margin:3rem 0 .2rem}h3{font-size:1.1rem;margin:0}
h3 .name{color:var(--mark);margin-left:.35em}.about{color:var(--soft);margin:0 0 1.2rem}
a{color:var(--mark);text-underline-offset:.2em}
:focus-visible{outline:2px solid var(--mark);outline-offset:2px;border-radius:3px}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:1rem;background:var(--card);padding:.5rem;z-index:9}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
dl{display:flex;flex-wrap:wrap;gap:.25rem 1.6rem;margin:.4rem 0}dl div{display:flex;gap:.5em}
dt{color:var(--soft);white-space:nowrap}dd{margin:0;min-width:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
.note{background:var(--chip);border-left:3px solid var(--mark);padding:.5rem .8rem;border-radius:0 6px 6px 0}
.row{display:flex;gap:.5rem;overflow-x:auto;padding:.6rem 0}.row figure{margin:0;flex:0 0 auto;text-align:center}
.row img{display:block;width:clamp(84px,14vw,150px);height:auto;border-radius:6px}
figcaption{font-size:.82rem;color:var(--soft);margin-top:.25rem}
nav{position:sticky;top:0;z-index:5;background:var(--paper);border-block:1px solid var(--line);margin-top:1.2rem;
max-height:6rem;overflow:auto}
nav>div{max-width:76rem;margin:0 auto;padding:.4rem clamp(.8rem,3vw,2rem);display:flex;gap:.8rem;align-items:baseline}
nav .to{white-space:nowrap;font-weight:600;color:var(--ink);text-decoration:none}
nav ul{display:flex;gap:.35rem;list-style:none;margin:0;padding:.15rem;overflow-x:auto;min-width:0}
nav li a{display:block;background:var(--chip);color:var(--ink);border-radius:99px;padding:.08rem .7rem;
text-decoration:none;white-space:nowrap;font-variant-numeric:tabular-nums}nav li a:hover{color:var(--mark)}
article{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:clamp(.8rem,2.4vw,1.5rem);
margin:0 0 1.4rem;display:grid;grid-template-columns:minmax(0,1fr) auto;grid-template-rows:auto 1fr;gap:.5rem 1.6rem}
article>*{grid-column:1/-1;min-width:0}article>h3,article>.said{grid-column:1}
article>.heat{grid-column:2;grid-row:1/span 2}
.words{margin:.3rem 0;font-size:1.05rem}.words.none{color:var(--soft)}
.heat{margin:0;width:9rem;text-align:center}.heat img{width:6.4rem;height:auto;border-radius:6px}
.sheet{overflow-x:auto;margin-top:.4rem}table{border-collapse:separate;border-spacing:4px}
tbody th{position:sticky;left:0;background:var(--card)}
th{font-weight:400;font-size:.82rem;color:var(--soft);font-variant-numeric:tabular-nums;white-space:nowrap;
padding:.1rem .4rem}
td{padding:0}td img{display:block;width:clamp(76px,10.6vw,136px);height:auto;border-radius:4px}
th.now{color:var(--mark);font-weight:650}td.now img{box-shadow:0 0 0 2px var(--mark)}
.scores{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:clamp(.8rem,2.4vw,1.5rem);
margin:.8rem 0 1.4rem}.scores .about{margin:.4rem 0 .2rem;font-size:.9rem}.wide{overflow-x:auto;margin-top:.4rem}
.scores table{border-spacing:2px}.scores td{padding:.2rem .5rem;text-align:right;font-size:.9rem;
font-variant-numeric:tabular-nums;border-radius:3px}.scores tbody th{text-align:left;font-size:.9rem}
td.chance{color:var(--soft)}
.full{margin:.2rem 0;font-size:.9rem}
.clip{display:block;max-width:100%;width:min(100%,38rem);height:auto;border-radius:8px;background:#000}
img.clip{width:auto;min-width:min(100%,24rem)}
.command{display:flex;gap:.5rem;align-items:stretch;margin-top:.4rem}
pre{flex:1 1 auto;min-width:0;margin:0;padding:.55rem .8rem;background:var(--chip);border-radius:6px;overflow-x:auto;
font:.82rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
button{font:inherit;font-size:.85rem;border:1px solid var(--line);background:var(--card);color:var(--ink);
border-radius:6px;padding:0 .8rem;cursor:pointer}
footer{color:var(--soft);font-size:.85rem;margin-top:3rem;padding-bottom:2rem}
@media(max-width:44rem){nav{position:static;max-height:none}html{scroll-padding-top:1rem}
article>.heat{grid-column:1/-1;grid-row:auto;display:flex;gap:.8rem;width:auto;
align-items:center;text-align:left}.heat img{width:4.6rem}.command{flex-wrap:wrap}}
@media print{nav,.command,video{display:none}article{break-inside:avoid}}
"""
# Without it everything can be read; with it commands can be copied, and clips play while they are looked at.
SCRIPT = """
for(const b of document.querySelectorAll(".command button")){if(!navigator.clipboard)continue;b.hidden=false;
b.onclick=()=>{navigator.clipboard.writeText(b.parentNode.querySelector("code").textContent).then(()=>{
b.textContent="Copied";setTimeout(()=>{b.textContent="Copy"},1500)})}}
if("IntersectionObserver"in window&&!matchMedia("(prefers-reduced-motion: reduce)").matches){
const seen=new IntersectionObserver(all=>{for(const e of all){if(e.isIntersecting){const p=e.target.play();
if(p)p.catch(()=>{})}else e.target.pause()}},{threshold:.6});
for(const v of document.querySelectorAll("video"))seen.observe(v)}
"""
