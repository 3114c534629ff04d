// Keys, overlays, window and zoom. Everything but these works without this script.
"use strict";

const KEPT = "mri-triage-view";

function readView() {
  try { return JSON.parse(sessionStorage.getItem(KEPT)) || {}; } catch { return {}; }
}

function keepView(changes) {
  sessionStorage.setItem(KEPT, JSON.stringify({ ...readView(), ...changes }));
}

function typing(target) {
  return target.closest("textarea, select, input:not([type=checkbox]):not([type=range])");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (event.defaultPrevented) return;
  if (event.key.startsWith("Arrow") && event.target.matches("input[type=range]")) return;
  if (event.key === "Enter" && event.target.closest("a, button, input")) return;
  for (const element of document.querySelectorAll("[data-key]")) {
    if (!element.dataset.key.split(" ").includes(event.key)) continue;
    event.preventDefault();
    element.click();
    return;
  }
});

function svg(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function setUp(viewer) {
  const screen = viewer.querySelector(".screen");
  const width = Number(screen.dataset.width);
  const height = Number(screen.dataset.height);
  const sliders = Object.fromEntries(
    [...viewer.querySelectorAll("[data-window]")].map((one) => [one.dataset.window, one]),
  );
  const centre = { x: width / 2, y: height / 2 };

  function show(name, on) {
    const layer = viewer.querySelector(`[data-layer=${name}]`);
    if (!layer) return;
    if (name === "lime") {
      const picture = layer.querySelector("img");
      if (on && !picture.src) picture.src = picture.dataset.src;
      layer.hidden = !on;
      return;
    }
    layer.setAttribute("visibility", on ? "visible" : "hidden");
  }

  function draw() {
    const level = Number(sliders.level.value) / 100;
    const slope = 100 / Number(sliders.width.value);
    for (const channel of viewer.querySelectorAll("feComponentTransfer > *")) {
      channel.setAttribute("slope", slope);
      channel.setAttribute("intercept", 0.5 - slope * level);
    }
    const zoom = Number(sliders.zoom.value) / 100;
    const shown = { width: width / zoom, height: height / zoom };
    centre.x = Math.min(Math.max(centre.x, shown.width / 2), width - shown.width / 2);
    centre.y = Math.min(Math.max(centre.y, shown.height / 2), height - shown.height / 2);
    const left = centre.x - shown.width / 2;
    const top = centre.y - shown.height / 2;
    screen.setAttribute("viewBox", `${left} ${top} ${shown.width} ${shown.height}`);
  }

  const view = readView();
  for (const box of viewer.querySelectorAll("[data-toggle]")) {
    const name = box.dataset.toggle;
    if (name in view) box.checked = view[name];
    show(name, box.checked);
    box.addEventListener("change", () => {
      show(name, box.checked);
      keepView({ [name]: box.checked });
    });
  }
  for (const [name, slider] of Object.entries(sliders)) {
    if (name in view) slider.value = view[name];
    slider.addEventListener("input", () => { draw(); keepView({ [name]: slider.value }); });
  }
  viewer.querySelector("[data-reset]").addEventListener("click", () => {
    for (const [name, slider] of Object.entries(sliders)) {
      slider.value = slider.defaultValue;
      keepView({ [name]: slider.value });
    }
    draw();
  });
  screen.addEventListener("wheel", (event) => {
    event.preventDefault();
    sliders.zoom.value = Number(sliders.zoom.value) * (event.deltaY < 0 ? 1.15 : 1 / 1.15);
    draw();
  }, { passive: false });
  screen.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    const scale = Number(sliders.zoom.value) / 100 * screen.clientWidth / width;
    centre.x -= event.movementX / scale;
    centre.y -= event.movementY / scale;
    draw();
  });
  screen.addEventListener("keydown", (event) => {
    const step = width / 20;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key === "+" || event.key === "-") {
      sliders.zoom.value = Number(sliders.zoom.value) * (event.key === "+" ? 1.25 : 0.8);
    } else if (event.key in moves && Number(sliders.zoom.value) > 100) {
      centre.x += moves[event.key][0];
      centre.y += moves[event.key][1];
      event.preventDefault();
    } else return;
    draw();
  });
  draw();
  if (viewer.dataset.marks) fetchMarks(viewer);
}

async function fetchMarks(viewer) {
  const note = viewer.querySelector(".marks-note");
  note.textContent = "The model's map is being drawn …";
  try {
    const answer = await fetch(viewer.dataset.marks);
    if (!answer.ok) throw new Error();
    const marks = await answer.json();
    viewer.querySelector(".outline").setAttribute("d", marks.outline);
    if (marks.heat) {
      const heat = { ...marks.heat, preserveAspectRatio: "none" };
      viewer.querySelector("[data-layer=heat]").append(svg("image", heat));
    }
    note.textContent = marks.note || "";
    viewer.dataset.ready = "yes";
  } catch {
    note.textContent = "The model's map could not be drawn; the box is the night's own.";
  }
}

for (const viewer of document.querySelectorAll(".viewer")) setUp(viewer);
