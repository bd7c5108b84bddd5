// Works without: this only adds the search box and the keys j and k.
(() => {
  const clips = [...document.querySelectorAll("article.clip")];
  const box = document.getElementById("search");
  const count = document.getElementById("count");
  if (!box || !clips.length) return;
  document.getElementById("tools").hidden = false;

  const texts = clips.map((clip) => clip.querySelector(".caption").textContent.toLowerCase());
  const search = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    clips.forEach((clip, i) => {
      const hit = words.every((word) => texts[i].includes(word));
      clip.hidden = !hit;
      shown += hit;
    });
    count.textContent = words.length ? `${shown} of ${clips.length} clips` : "";
  };
  box.addEventListener("input", search);

  const reveal = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target && target.hidden) {
      box.value = "";
      search();
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", reveal);

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input[type=search]")) return;
    if (event.key === "/") {
      event.preventDefault();
      box.focus();
      return;
    }
    const step = { j: 1, k: -1 }[event.key];
    if (!step) return;
    const open = clips.filter((clip) => !clip.hidden);
    const here = open.findIndex((clip) => "#" + clip.id === location.hash);
    const next = open[here < 0 ? 0 : Math.min(Math.max(here + step, 0), open.length - 1)];
    if (next) location.hash = next.id;
  });
})();
