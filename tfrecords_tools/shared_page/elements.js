// Elements in one call: element("button", { class: "primary", onclick }, "Start").

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return made;
}

export function show(...children) {
  const screen = document.getElementById("screen");
  screen.replaceChildren(...children);
  screen.scrollTop = 0;
  return screen;
}

export function problem(message = "") {
  const place = document.getElementById("problem");
  place.textContent = message;
  place.hidden = !message;
}

export function clock(seconds) {
  const tenths = Math.floor(Math.max(0, seconds) * 10 + 1e-6); // 2.4 - 2 is less than 0.4
  const whole = Math.floor(tenths / 10);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}.${tenths % 10}`;
}

export function length(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export function signed(value) {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
