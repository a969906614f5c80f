/* The theme searches in a Web Worker, which browsers refuse to a page opened from a disk. Such a
   page gets a hidden frame instead: it runs the worker's script and passes the same messages. */
"use strict";
(() => {
  if (location.protocol !== "file:") return;

  class FrameWorker extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      this.inner = this.frame.contentWindow;
      this.inner.document.open();  // or the browser may replace the empty page later
      this.inner.document.write("<!doctype html><body></body>");
      this.inner.document.close();
      // What a worker's script finds among its globals.
      this.inner.postMessage = (data) => setTimeout(() => this.answer(structuredClone(data)));
      this.inner.importScripts = (...urls) =>
        urls.reduce((before, each) => before.then(() => this.load(each)), Promise.resolve());
      this.ready = this.load(url);
    }

    load(url) {
      return new Promise((resolve, reject) => {
        const script = this.inner.document.createElement("script");
        script.src = url;
        script.onload = resolve;
        script.onerror = () => reject(new Error(`${url} cannot be read`));
        this.inner.document.body.append(script);
      });
    }

    answer(data) {
      const event = new MessageEvent("message", { data });
      this.dispatchEvent(event);
      this.onmessage?.(event);
    }

    postMessage(data) {
      this.ready.then(() => this.inner.dispatchEvent(new MessageEvent("message", { data })));
    }

    terminate() {
      this.frame.remove();
    }
  }

  window.Worker = FrameWorker;
  window.IFrameWorker = FrameWorker;  // by this name the theme's script knows that it is in a frame
})();
