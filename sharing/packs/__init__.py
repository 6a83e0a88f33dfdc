"""Loads law packs from files: their folders, their earlier versions and their signatures."""
