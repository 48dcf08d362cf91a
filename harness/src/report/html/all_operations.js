// Every operation on a canvas: a bar where there is room, one column for many where there is not.
(() => {
  const data = document.getElementById("all-data");
  if (!data) return;
  const meta = JSON.parse(data.dataset.meta);
  const section = document.getElementById("all-operations");
  const canvas = document.getElementById("all-canvas"), pen = canvas.getContext("2d");
  const detail = document.getElementById("all-detail"), found = document.getElementById("all-found");
  section.hidden = false;

  const bytes = atob(data.content.textContent.trim());
  let at = 0;
  function number() {
    let result = 0, scale = 1;
    for (;;) {
      const byte = bytes.charCodeAt(at++);
      result += (byte & 127) * scale;
      if (byte < 128) return result;
      scale *= 128;
    }
  }
  const count = meta.count, NEVER = meta.end + 1;
  const start = new Float64Array(count), end = new Float64Array(count);
  const lane = new Uint16Array(count), process = new Uint32Array(count), node = new Uint16Array(count);
  const what = new Uint16Array(count), key = new Uint32Array(count);
  const argument = new Float64Array(count), result = new Float64Array(count);
  const perLane = Array.from({ length: meta.lanes }, () => []);
  for (let i = 0, time = 0; i < count; i++) {
    start[i] = time += number();
    const length = number();
    end[i] = length === 0 ? NEVER : time + length - 1;
    lane[i] = number(); process[i] = number(); node[i] = number(); what[i] = number(); key[i] = number();
    argument[i] = number(); result[i] = number();
    perLane[lane[i]].push(i);
  }
  // How many of the first operations of a lane were no success, so that a column knows without a look at each.
  const lanes = perLane.map((list) => {
    const all = Uint32Array.from(list), fails = new Uint32Array(all.length + 1), infos = new Uint32Array(all.length + 1);
    all.forEach((i, position) => {
      const outcome = what[i] & 3;
      fails[position + 1] = fails[position] + (outcome === 1);
      infos[position + 1] = infos[position] + (outcome >= 2);
    });
    return { all, fails, infos };
  });

  const OUTCOMES = ["ok", "fail", "info", "never completed"];
  const text = (code, same) => code === 0 ? "nothing" : code === 1 ? same
    : code % 2 ? meta.texts[(code - 3) / 2] : String(unzigzag((code - 2) / 2));
  const unzigzag = (value) => value % 2 ? -(value + 1) / 2 : value / 2;
  const seconds = (time) => (time / 1e6).toFixed(4) + " s";
  // Functions that are asked without a value and answer with one: "nothing" is an answer of theirs.
  const answers = new Set();
  for (let i = 0; i < count; i++) {
    if (argument[i] === 0 && result[i] > 1) answers.add(what[i] >> 2);
  }
  function name(i) {
    const f = what[i] >> 2, given = text(argument[i], ""), got = text(result[i], given);
    const tells = (what[i] & 3) === 0 && (got !== given || (argument[i] === 0 && answers.has(f)));
    return meta.functions[f] + (argument[i] ? " " + given : "") + (tells ? " -> " + got : "");
  }
  function describe(i) {
    const words = [name(i)];
    if (key[i]) words.push("key " + meta.keys[key[i] - 1]);
    words.push(OUTCOMES[what[i] & 3]);
    words.push("at " + seconds(start[i]) + (end[i] === NEVER ? "" : " for " + ((end[i] - start[i]) / 1e3).toFixed(2) + " ms"));
    words.push("process " + process[i] + (node[i] ? " to " + meta.nodes[node[i] - 1] : ""));
    return words.join(" · ");
  }

  const LEFT = 46, AXIS = 22, SHORTEST = 20;
  const rows = Math.max(0, ...meta.faults.map((fault) => fault.row + 1));
  const TOP = rows * 18 + 6;
  const laneHeight = Math.max(4, Math.min(18, 520 / Math.max(1, meta.lanes)));
  const height = TOP + laneHeight * meta.lanes + AXIS;
  const home = [0, Math.max(meta.end, SHORTEST)];
  let view = [...home], width = 0, colours = {}, scheduled = false;
  let matches = [], isMatch = null, current = -1, pointed = -1;

  const x = (time) => LEFT + (time - view[0]) / (view[1] - view[0]) * (width - LEFT);
  const timeAt = (px) => view[0] + (px - LEFT) / (width - LEFT) * (view[1] - view[0]);

  function look() {
    const style = getComputedStyle(document.documentElement);
    const names = ["ink", "soft", "rule", "paper", "card", "ok", "fail", "info", "invalid", "k0", "k1", "k2", "k3", "k4", "k5"];
    colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue("--" + name).trim()]));
    width = canvas.clientWidth;
    const ratio = window.devicePixelRatio || 1;
    canvas.style.height = height + "px";
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    again();
  }
  function again() {
    if (!scheduled) { scheduled = true; requestAnimationFrame(draw); }
  }
  function show(from, to) {
    const length = Math.min(Math.max(to - from, SHORTEST), home[1] - home[0]);
    from = Math.min(Math.max(from, home[0]), home[1] - length);
    view = [from, from + length];
    again();
  }
  function zoom(factor, centre = (view[0] + view[1]) / 2) {
    show(centre - (centre - view[0]) * factor, centre + (view[1] - centre) * factor);
  }

  // The first position of the list from which `holds` is true; it stays true from there on.
  function first(list, from, holds) {
    let low = from, high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(list[middle])) high = middle; else low = middle + 1;
    }
    return low;
  }

  function draw() {
    scheduled = false;
    pen.clearRect(0, 0, width, height);
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    for (let row = 0; row < meta.lanes; row += 2) {
      pen.fillStyle = colours.paper;
      pen.fillRect(LEFT, TOP + row * laneHeight, width - LEFT, laneHeight);
    }
    drawFaults();
    lanes.forEach(drawLane);
    drawAxis();
    pen.fillStyle = colours.card;
    pen.fillRect(0, 0, LEFT, height);
    pen.fillStyle = colours.soft;
    const every = Math.ceil(14 / laneHeight);
    for (let row = 0; row < meta.lanes; row += every) {
      pen.fillText(String(row), 8, TOP + (row + 0.5) * laneHeight);
    }
  }

  function drawFaults() {
    for (const fault of meta.faults) {
      const from = Math.max(x(fault.from), LEFT), to = Math.min(x(fault.to), width);
      if (to < from) continue;
      const wide = Math.max(to - from, 1.5);
      pen.fillStyle = pen.strokeStyle = colours["k" + fault.colour];
      pen.globalAlpha = 0.1;
      pen.fillRect(from, TOP, wide, laneHeight * meta.lanes);
      pen.globalAlpha = 0.25;
      pen.fillRect(from, 3 + fault.row * 18, wide, 15);
      pen.globalAlpha = 1;
      pen.strokeRect(from, 3 + fault.row * 18, wide, 15);
      pen.fillStyle = colours.ink;
      if (pen.measureText(fault.label).width + 6 < wide) pen.fillText(fault.label, from + 4, 11 + fault.row * 18);
    }
  }

  function drawLane({ all, fails, infos }, row) {
    const top = TOP + row * laneHeight + 1, tall = laneHeight - 2;
    const bar = (from, wide, outcome) => {
      pen.fillStyle = [colours.ok, colours.fail, colours.info, colours.info][outcome];
      const half = tall / 2;
      pen.fillRect(from, outcome === 1 ? top + half : top, wide, outcome === 0 ? tall : half);
    };
    const perPixel = (view[1] - view[0]) / (width - LEFT);
    let position = first(all, 0, (i) => end[i] >= view[0]);
    while (position < all.length && start[all[position]] <= view[1]) {
      const i = all[position];
      const from = Math.max(x(start[i]), LEFT), to = Math.min(x(Math.min(end[i], home[1])), width);
      let marked = false, next = position + 1, wide = to - from;
      if (wide >= 1.5) {
        bar(from, Math.max(wide - 0.5, 1), what[i] & 3);
        marked = isMatch && isMatch[i];
        if (wide > 60 && tall >= 11) label(i, from, wide, top + tall / 2);
      } else {
        // All that begin within this column of pixels.
        next = Math.max(first(all, next, (other) => start[other] > start[i] + perPixel), position + 1);
        const bad = fails[next] - fails[position], open = infos[next] - infos[position];
        wide = 1;
        if (bad + open < next - position) bar(from, wide, 0);
        if (bad) bar(from, wide, 1);
        if (open) bar(from, wide, 2);
        if (isMatch) for (let other = position; other < next && !marked; other++) marked = isMatch[all[other]];
      }
      if (marked || i === pointed) {
        pen.strokeStyle = i === pointed ? colours.ink : colours.invalid;
        pen.lineWidth = 2;
        pen.strokeRect(from - 1, top - 1, Math.max(wide, 3) + 2, tall + 2);
        pen.lineWidth = 1;
      }
      position = next;
    }
  }

  function label(i, from, wide, middle) {
    let words = name(i);
    // A part of a number would be another number.
    while (words && pen.measureText(words).width > wide - 6) {
      words = words.includes(" ") ? words.replace(/ [^ ]*( …)?$/, "") + " …" : "";
      if (words.replace(" …", "").includes(" ") === false && pen.measureText(words).width > wide - 6) words = "";
    }
    pen.strokeStyle = colours.card;
    pen.lineWidth = 3;
    if ((what[i] & 3) !== 0) pen.strokeText(words, from + 3, middle);
    pen.lineWidth = 1;
    pen.fillStyle = colours.ink;
    pen.fillText(words, from + 3, middle);
  }

  function drawAxis() {
    const raw = (view[1] - view[0]) / 8, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw * 0.999);
    const digits = Math.min(6, Math.max(0, 6 - Math.floor(Math.log10(step))));
    const bottom = TOP + laneHeight * meta.lanes;
    pen.textAlign = "center";
    for (let time = Math.ceil(view[0] / step) * step; time <= view[1]; time += step) {
      pen.fillStyle = colours.rule;
      pen.fillRect(x(time), TOP, 1, bottom - TOP);
      pen.fillStyle = colours.soft;
      const label = (time / 1e6).toFixed(digits) + " s", half = pen.measureText(label).width / 2;
      pen.fillText(label, Math.min(Math.max(x(time), LEFT + half), width - half), bottom + 12);
    }
    pen.textAlign = "left";
  }

  function operationAt(px, py) {
    const row = Math.floor((py - TOP) / laneHeight);
    if (!lanes[row]) return -1;
    const time = timeAt(px), slack = (view[1] - view[0]) / (width - LEFT) * 2;
    const { all } = lanes[row];
    const position = first(all, 0, (i) => end[i] >= time - slack);
    const i = all[position];
    return i !== undefined && start[i] <= time + slack ? i : -1;
  }

  function find(query) {
    const words = query.trim().toLowerCase().split(/\s+/).filter(Boolean);
    matches = [];
    isMatch = null;
    current = -1;
    if (words.length === 0) { found.textContent = ""; return again(); }
    const tests = words.map((word) => {
      const [, name, value] = word.match(/^(key|process|f|node|outcome)[=:](.*)$/) || [];
      switch (name) {
        case "key": return (i) => key[i] > 0 && meta.keys[key[i] - 1].toLowerCase() === value;
        case "process": return (i) => String(process[i]) === value;
        case "f": return (i) => meta.functions[what[i] >> 2].toLowerCase() === value;
        case "node": return (i) => node[i] > 0 && meta.nodes[node[i] - 1].toLowerCase() === value;
        case "outcome": return (i) => OUTCOMES[what[i] & 3].startsWith(value);
        default: {
          // A number is itself, a text may be a part.
          const is = (code) => code > 1 && (code % 2 ? meta.texts[(code - 3) / 2].toLowerCase().includes(word) : String(unzigzag((code - 2) / 2)) === word);
          return (i) => is(argument[i]) || is(result[i]);
        }
      }
    });
    isMatch = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      if (tests.every((test) => test(i))) { isMatch[i] = 1; matches.push(i); }
    }
    found.textContent = matches.length === 0 ? "nothing found" : matches.length + " found";
    again();
    if (matches.length) step(1);
  }
  function step(by) {
    if (matches.length === 0) return;
    current = (current + by + matches.length) % matches.length;
    const i = matches[current];
    pointed = i;
    found.textContent = (current + 1) + " of " + matches.length + " found";
    detail.textContent = describe(i);
    const middle = (start[i] + Math.min(end[i], home[1])) / 2;
    const length = Math.min(view[1] - view[0], Math.max(2e6, (Math.min(end[i], home[1]) - start[i]) * 4));
    show(middle - length / 2, middle + length / 2);
  }

  const pan = (share) => show(view[0] + (view[1] - view[0]) * share, view[1] + (view[1] - view[0]) * share);
  const acts = { in: () => zoom(0.5), out: () => zoom(2), earlier: () => pan(-0.5), later: () => pan(0.5),
    reset: () => show(...home), next: () => step(1), previous: () => step(-1) };
  for (const button of section.querySelectorAll("[data-all]")) {
    button.addEventListener("click", () => acts[button.dataset.all]());
  }
  document.getElementById("all-search").addEventListener("submit", (event) => {
    event.preventDefault();
    find(document.getElementById("all-query").value);
  });
  const keys = { ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2), "+": acts.in, "=": acts.in, "-": acts.out,
    0: acts.reset, Home: acts.reset, n: acts.next, p: acts.previous };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, timeAt(event.offsetX));
  }, { passive: false });
  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch") return;
    held = { at: event.offsetX, view: [...view] };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (held) {
      const shift = (held.at - event.offsetX) / (width - LEFT) * (held.view[1] - held.view[0]);
      return show(held.view[0] + shift, held.view[1] + shift);
    }
    const i = operationAt(event.offsetX, event.offsetY);
    if (i >= 0 && i !== pointed) { pointed = i; detail.textContent = describe(i); again(); }
    if (i < 0 && event.offsetY < TOP) {
      const time = timeAt(event.offsetX), row = Math.floor((event.offsetY - 3) / 18);
      const fault = meta.faults.find((fault) => fault.row === row && fault.from <= time && time <= fault.to);
      if (fault) detail.textContent = fault.title;
    }
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { held = null; });
  // Other parts of the page lead here by a time in microseconds.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-at]");
    if (!link) return;
    event.preventDefault();
    const time = +link.dataset.at;
    show(time - 1e6, time + 1e6);
    section.scrollIntoView();
    canvas.focus({ preventScroll: true });
  });
  new ResizeObserver(look).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look);
  look();
})();
