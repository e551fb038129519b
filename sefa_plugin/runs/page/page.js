// Without this everything can be read; with it commands can be copied, and clips play while they are looked at.
for (const button of document.querySelectorAll(".command button")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.onclick = () => {
    navigator.clipboard.writeText(button.parentNode.querySelector("code").textContent).then(() => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  };
}
if ("IntersectionObserver" in window && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) target.play()?.catch(() => {});
      else target.pause();
    }
  }, { threshold: 0.6 });
  for (const video of document.querySelectorAll("video")) seen.observe(video);
}
