/** The popup's side of the hand-over: it asks the window that opened it for the handle, so that no address ever carries one. */

/** Time the opener has for a first sign of life, and then for the handle itself, in milliseconds. */
const patience = { answer: 3_000, handle: 20_000 };

/** The handle, or `undefined` when there is no opener of this origin or it does not answer. */
export function askForHandle(): Promise<string | undefined> {
  const opener = window.opener as Window | null;
  if (!opener) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const finish = (handle: string | undefined) => {
      clearTimeout(timer);
      removeEventListener("message", receive);
      resolve(handle);
    };
    const receive = (event: MessageEvent) => {
      if (event.source !== opener || event.origin !== location.origin) return;
      const message = event.data as { postern?: unknown; handle?: unknown } | null;
      if (message?.postern === "handle" && typeof message.handle === "string") finish(message.handle);
      else if (message?.postern === "wait") {
        clearTimeout(timer);
        timer = setTimeout(finish, patience.handle);
      }
    };
    let timer = setTimeout(finish, patience.answer);
    addEventListener("message", receive);
    opener.postMessage({ postern: "handle?" }, location.origin);
  });
}
