declare module 'virtual:readme'
