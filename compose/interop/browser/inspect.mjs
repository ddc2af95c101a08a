// What a page must be for everybody: nothing that axe-core calls serious, no script, nothing from
// elsewhere, and every control reached by the keyboard in the order of reading.
import { readFileSync } from 'node:fs';

const OURS = ['choose', 'development', 'confirm', 'code', 'device-code', 'device', 'problem'];

export async function inspect(page, kind, axe) {
  if (!OURS.includes(kind)) return;
  await accessible(page, kind, axe);
  await reachable(page, kind);
}

// The policy of our pages lets no script in, so axe-core is evaluated from outside.
async function accessible(page, kind, axe) {
  await page.evaluate(readFileSync(axe, 'utf8'));
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await page.evaluate(() => globalThis.axe.run(document));
    const bad = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
    if (bad.length > 0) {
      const told = bad.map(({ id, nodes }) => `${id} at ${nodes[0].target}`).join('; ');
      throw new Error(`the page ${kind} (${colorScheme}) shuts people out: ${told}`);
    }
  }
}

async function reachable(page, kind) {
  const wanted = await page.locator('main :is(a[href], button, input:not([type=hidden]))').count();
  const reached = await page.evaluate(() => {
    const visible = 'main :is(a[href], button, input:not([type=hidden]))';
    return [...document.querySelectorAll(visible)].filter((element) => element.tabIndex >= 0).length;
  });
  if (reached !== wanted) {
    throw new Error(`on the page ${kind}, ${wanted - reached} controls are not reached by keys`);
  }
  for (let turn = 0; turn < wanted; turn += 1) {
    await page.keyboard.press('Tab');
    const outlined = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement);
      return document.activeElement === document.body || style.outlineStyle !== 'none';
    });
    if (!outlined) throw new Error(`on the page ${kind}, the focus is not seen`);
  }
}
