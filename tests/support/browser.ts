import chromium from '@sparticuz/chromium';
import { chromium as playwright, type Browser } from 'playwright-core';

/** Chromium for a test: CHROMIUM_PATH if set, else the one that comes with npm (unpacked into the temporary folder at its first use). */
export async function startBrowser(): Promise<Browser> {
  const executablePath = process.env['CHROMIUM_PATH'] || await chromium.executablePath();
  return playwright.launch({
    executablePath, headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-zygote', '--hide-scrollbars', '--font-render-hinting=none'],
  });
}
