// The page: a webcam or a file, its frames to the server, and what comes back.

import { element, problem, show, signed } from "./elements.js";
import { FrameSender } from "./frame_sender.js";
import { drawCurves, drawFace, drawPlane } from "./live_drawing.js";

const RATE = 2; // seconds over which frames are counted
const address = new URL("api/frames", location.href.replace(/^http/, "ws").replace(/[^/]*$/, ""));

const video = element("video", { muted: true, playsinline: true });
const marks = element("canvas", { "aria-label": "Face" });
const plane = element("canvas", { "aria-label": "Plane of valence and arousal" });
const curves = element("canvas", { class: "curves", "aria-label": "Valence and arousal over time" });
const values = element("output", { class: "values", id: "values" });
const speed = element("output", { id: "speed" });
const file = element("input", { type: "file", accept: "video/*", hidden: true, onchange: () => file.files.length && openFile(file.files[0]) });
const save = element("button", { id: "save", disabled: true, onclick: saveTable }, "Save table");
let points = [], answers = [], size = { width: 1, height: 1 }, stream = null, url = null;

const sender = new FrameSender(address, answered, problem);
video.muted = true;
video.addEventListener("error", () => problem("This browser does not play that file. `predict` reads it without --serve."));

show(
  element("div", { class: "picture" }, video, marks),
  element("div", { class: "side" }, plane, values, speed,
    element("div", { class: "row" },
      element("button", { class: "primary", id: "camera", onclick: openCamera }, "Webcam"),
      element("button", { id: "file", onclick: () => file.click() }, "File"),
      element("button", { id: "stop", onclick: stop }, "Stop"), save, file),
    element("p", { class: "note", id: "which" },
      "Of several faces, the one that is largest at first is followed. Once it has been away for more than a second, " +
      "the largest of the others takes its place.")),
  curves,
);
draw();
window.addEventListener("resize", draw);
fetch("api/model").then(answer => answer.json()).then(found => {
  document.getElementById("who").textContent = found.description.join(" · ");
});

async function openCamera() {
  stop();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 } } });
  } catch (error) {
    problem(`No webcam: ${error.message}`);
    return;
  }
  await start("camera", () => { video.srcObject = stream; });
}

async function openFile(chosen) {
  stop();
  url = URL.createObjectURL(chosen);
  await start("file", () => { video.src = url; });
  file.value = "";
}

// What sets the source does so when its first frame is waited for.
async function start(kind, setSource) {
  problem();
  points = [];
  answers = [];
  await sender.begin(video, kind);
  setSource();
  // A file that the browser cannot read is reported by the video itself.
  await video.play().catch(error => { if (!video.error) problem(`It cannot be played: ${error.message}`); });
}

function stop() {
  sender.end();
  stream?.getTracks().forEach(track => track.stop());
  stream = null;
  video.pause();
  video.srcObject = null;
  video.removeAttribute("src");
  if (url) URL.revokeObjectURL(url);
  url = null;
  drawFace(marks, null);
}

function answered(found, sent) {
  points.push(found);
  size = sent;
  save.disabled = false;
  const now = performance.now() / 1000;
  answers = [...answers.filter(time => time > now - RATE), now];
  draw();
}

function draw() {
  const last = points.at(-1), face = last?.face;
  drawFace(marks, face, size);
  drawPlane(plane, points.slice(-400));
  drawCurves(curves, points.slice(-1200));
  values.textContent = face ? `valence ${signed(face.valence)}   arousal ${signed(face.arousal)}` : last ? "no face" : "";
  if (!last) return;
  const rate = answers.length > 1 ? (answers.length - 1) / (answers.at(-1) - answers[0]) : 0;
  const skipped = sender.skipped ? `, ${sender.skipped} left out` : "";
  speed.textContent = `${rate.toFixed(1)} frames/s, ${last.ms.toFixed(0)} ms each; ${points.length} frames${skipped}`;
}

// The same columns as a table of the command `predict`.
function saveTable() {
  const lines = points.map(({ seconds, face }, i) => [
    i + 1, seconds.toFixed(6), ...(face ? face.box.map(side => side.toFixed(2)) : ["", "", "", ""]), face ? 1 : 0,
    ...(face ? [face.valence.toFixed(6), face.arousal.toFixed(6)] : ["", ""]),
  ].join(","));
  const text = ["frame,time,left,top,right,bottom,face,valence,arousal", ...lines, ""].join("\n");
  const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "live.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
