// Zoom, hover and copy. The page says everything that matters without this script.
"use strict";
(() => {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }

  const drawing = document.getElementById("timeline-drawing");
  if (!drawing) return;
  const left = +drawing.dataset.left, right = +drawing.dataset.width;
  const home = [+drawing.dataset.from, +drawing.dataset.to];
  const marks = [...drawing.querySelectorAll("[data-s]")].map((group) => ({
    group,
    start: +group.dataset.s,
    end: +group.dataset.e,
    boxes: [...group.querySelectorAll("rect")],
    text: group.querySelector("text"),
    full: group.querySelector("text")?.dataset.full ?? group.querySelector("text")?.textContent,
    letter: group.querySelector("text")?.dataset.letter ?? "",
    centred: group.classList.contains("placed"),
  }));
  const bounds = marks.filter((mark) => !mark.centred).reduce(
    ([low, high], mark) => [Math.min(low, mark.start), Math.max(high, mark.end)], home);
  const ticks = drawing.querySelector(".ticks");
  const bottom = +ticks.querySelector("line").getAttribute("y1");
  const SHORTEST = 20000;
  let view = [...home];
  let scheduled = false;

  const x = (time) => left + (time - view[0]) / (view[1] - view[0]) * (right - left);

  function show(from, to) {
    const length = Math.min(Math.max(to - from, SHORTEST), bounds[1] - bounds[0]);
    from = Math.min(Math.max(from, bounds[0]), bounds[1] - length);
    view = [from, from + length];
    if (!scheduled) { scheduled = true; requestAnimationFrame(draw); }
  }

  function draw() {
    scheduled = false;
    for (const mark of marks) {
      const visible = mark.end >= view[0] && mark.start <= view[1];
      mark.group.style.display = visible ? "" : "none";
      if (!visible) continue;
      // Far outside the clip there is nothing to see, and huge coordinates lose precision.
      const from = Math.max(x(mark.start), left - 50), to = Math.min(x(mark.end), right + 50);
      for (const box of mark.boxes) {
        box.setAttribute("x", from);
        box.setAttribute("width", Math.max(to - from, 1.5));
      }
      if (!mark.text) continue;
      const shownFrom = Math.max(from, left), shownTo = Math.min(to, right);
      mark.text.setAttribute("x", mark.centred ? (shownFrom + shownTo) / 2 : shownFrom + 4);
      const fits = (text) => text.length * 6.1 + 8 <= shownTo - shownFrom;
      mark.text.textContent = [mark.full, mark.letter].find(fits) ?? "";
    }
    drawTicks();
  }

  function drawTicks() {
    const raw = (view[1] - view[0]) / 9, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw * 0.999);
    const digits = Math.min(9, Math.max(0, 9 - Math.floor(Math.log10(step))));
    const namespace = drawing.namespaceURI;
    while (ticks.children.length > 1) ticks.lastChild.remove();
    for (let time = Math.ceil(view[0] / step) * step; time <= view[1]; time += step) {
      const line = document.createElementNS(namespace, "line");
      const at = x(time);
      line.setAttribute("class", "axis");
      for (const [name, value] of [["x1", at], ["x2", at], ["y1", bottom], ["y2", bottom + 4]]) line.setAttribute(name, value);
      ticks.append(line);
      if (at < left + 24 || at > right - 24) continue;
      const text = document.createElementNS(namespace, "text");
      text.setAttribute("x", at);
      text.setAttribute("y", bottom + 18);
      text.setAttribute("text-anchor", "middle");
      text.textContent = (time / 1e9).toFixed(digits) + " s";
      ticks.append(text);
    }
  }

  function zoom(factor, centre) {
    show(centre - (centre - view[0]) * factor, centre + (view[1] - centre) * factor);
  }

  const timeAt = (event) => {
    const box = drawing.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width * right;
    return view[0] + (at - left) / (right - left) * (view[1] - view[0]);
  };

  document.querySelector(".controls").hidden = false;
  document.querySelector(".controls").addEventListener("click", (event) => {
    const length = view[1] - view[0], middle = (view[0] + view[1]) / 2;
    switch (event.target.dataset.zoom) {
      case "in": return zoom(0.5, middle);
      case "out": return zoom(2, middle);
      case "earlier": return show(view[0] - length / 2, view[1] - length / 2);
      case "later": return show(view[0] + length / 2, view[1] + length / 2);
      case "reset": return show(...home);
    }
  });
  drawing.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, timeAt(event));
  }, { passive: false });

  let held = null;
  drawing.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch") return;
    held = { clientX: event.clientX, view: [...view] };
    drawing.setPointerCapture(event.pointerId);
    drawing.classList.add("dragging");
  });
  drawing.addEventListener("pointermove", (event) => {
    if (!held) return;
    const width = drawing.getBoundingClientRect().width * (right - left) / right;
    const shift = (held.clientX - event.clientX) / width * (held.view[1] - held.view[0]);
    show(held.view[0] + shift, held.view[1] + shift);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    drawing.addEventListener(name, () => { held = null; drawing.classList.remove("dragging"); });
  }

  const detail = document.getElementById("detail");
  detail.hidden = false;
  for (const name of ["pointerover", "click"]) {
    drawing.addEventListener(name, (event) => {
      const group = event.target.closest("[data-s]");
      if (group) detail.textContent = group.querySelector("title").textContent;
    });
  }
})();
