"use strict";
/* One zoom for every picture on the stage: a scale and an offset in shares of the frame, so that all stay in step. */
(() => {
  const MOST = 40;
  const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

  ui.zoomable = (stage) => {
    let scale = 1, x = 0, y = 0, held = null, timer = 0;

    function set(s, left, top) {
      [scale, x, y] = [s, clamp(left, 1 - s, 0), clamp(top, 1 - s, 0)];
      stage.style.setProperty("--pan", `translate(${x * 100}%, ${y * 100}%) scale(${s})`);
      stage.classList.toggle("pixels", s >= 4);
      clearTimeout(timer);
      timer = setTimeout(() => stage.isConnected && ui.go({ z: s === 1 ? "" : [s, x, y].map((n) => n.toFixed(3)) }), 150);
    }
    const zoom = (factor, px = 0.5, py = 0.5) => {
      const s = clamp(scale * factor, 1, MOST);
      set(s, px - ((px - x) * s) / scale, py - ((py - y) * s) / scale);
    };
    const move = (dx, dy) => set(scale, x + dx, y + dy);
    const fit = () => set(1, 0, 0);
    const one = () => {  // one pixel of the picture on one of the screen
      const image = stage.querySelector("img.pan");
      if (!image?.naturalWidth) return;
      fit();
      zoom(1 / (Math.min(image.clientWidth / image.naturalWidth, image.clientHeight / image.naturalHeight) * devicePixelRatio));
    };
    const read = () => {
      const [s, left, top] = ui.state.z.split(",").map(Number);
      set(clamp(s || 1, 1, MOST), left || 0, top || 0);
    };

    /** (frame, place in it) of an event, as shares of its size; null beside the frames. */
    const place = (event) => {
      const frame = held?.frame ?? event.target.closest(".frame"), box = frame?.getBoundingClientRect();
      return frame && { frame, x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
    };
    stage.addEventListener("wheel", (event) => {
      const at = place(event);
      if (!at) return;
      zoom(Math.exp(-event.deltaY * 0.002), at.x, at.y);
      event.preventDefault();
    }, { passive: false });
    stage.onpointerdown = (event) => {
      held = event.button ? null : place(event);
      held?.frame.setPointerCapture(event.pointerId);
    };
    stage.onpointermove = (event) => {
      const at = place(event);
      if (held) move(at.x - held.x, at.y - held.y);
      else if (at && event.pointerType === "mouse") stage.style.setProperty("--cut", `${clamp(at.x * 100, 0, 100)}%`);
      if (held) held = at;
    };
    stage.onpointerup = stage.onpointercancel = () => (held = null);
    return { zoom, move, fit, one, read };
  };
})();
