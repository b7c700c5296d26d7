-- A channel is named by the id that its user gave it: what the settings take (`Id` of packages/core/notifications.ts) is what is kept here, no more and no less.
alter table public.notifications drop constraint notifications_channel_check;
alter table public.notifications add constraint notifications_channel_check check (channel ~ '^[a-z0-9][a-z0-9-]{0,39}$');
