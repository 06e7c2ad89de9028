import { useEffect, useState } from 'preact/hooks';

const changed = 'hearthline:route';

/** Goes to a path of the portal without loading the page anew. */
export function go(path: string): void {
  history.pushState(null, '', path);
  dispatchEvent(new Event(changed));
}

/** The current path, kept up to date; every change moves the focus to the new page's heading. */
export function usePath(): string {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const update = () => {
      setPath(location.pathname);
      scrollTo(0, 0);
      requestAnimationFrame(() => document.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true }));
    };
    addEventListener('popstate', update);
    addEventListener(changed, update);
    return () => {
      removeEventListener('popstate', update);
      removeEventListener(changed, update);
    };
  }, []);
  return path;
}

/** Takes the fields behind the `#` once and removes them from the address bar and the history. */
export function takeFragment(): URLSearchParams {
  const fields = new URLSearchParams(location.hash.slice(1));
  if (location.hash !== '') history.replaceState(null, '', location.pathname + location.search);
  return fields;
}
